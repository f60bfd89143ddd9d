-- Delete executions that ended, the oldest first, and old ticks.
-- ARGV     how many to keep, before, older than, limit (see the protocol), outcomes of ticks
-- returns  how many executions were deleted
local keep, before, older_than, limit = tonumber(arg()), tonumber(arg()), arg(), tonumber(arg())
local outcomes = args()

local function is_due(time, left)
  return time < tonumber(older_than) or time < before and left > keep
end

local left, pruned, from = call('ZCARD', P .. 'ended'), 0, 0
local more = limit > 0
while more do
  local page = call('ZRANGE', P .. 'ended', from, from + limit - 1, 'WITHSCORES')
  more = #page > 0
  for at = 1, #page, 2 do
    more = more and pruned < limit and is_due(tonumber(page[at + 1]), left)
    if more and forget(page[at]) then pruned, left = pruned + 1, left - 1 end
  end
  from = from + limit
end

local old = call('ZRANGEBYSCORE', P .. 'ledgers', '-inf', '(' .. older_than, 'LIMIT', 0, limit)
for _, schedule in ipairs(old) do
  local ticks = P .. 'ticks:' .. schedule
  local instants = call('ZRANGEBYSCORE', ticks, '-inf', '(' .. older_than, 'LIMIT', 0, limit)
  for _, instant in ipairs(instants) do
    call('DEL', P .. 'tick:' .. instant .. ':' .. schedule)
    for _, outcome in ipairs(outcomes) do
      mark('outcome:' .. outcome, instant .. ':' .. schedule, false)
    end
  end
  each('ZREM', ticks, instants)
  mark('ledgers', schedule, call('ZRANGE', ticks, 0, 0)[1])
end
flush()
return pruned
