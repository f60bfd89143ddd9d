-- Read the executions that wait to be claimed, blocked ones too, in the order of claims.
-- ARGV     limit, queue (a list of one or none), priorities, ids to skip (lists: their length
--          first)
-- returns  rows, each in one piece, see `packed`
local limit, queues, priorities, skip = tonumber(arg()), args(), args(), args()
queues = queues[1] and set(queues)
local wanted = limit + #skip
skip = set(skip)
local found = {}

-- A node of an older version, which does not know its lane, may have claimed or ended it.
local function is_gone(id)
  local status = redis.pcall('HGET', P .. 'x:' .. id, 'status')
  return FINAL[status] or status == RUNNING
end

local function take(keys)
  local more = true
  while more do
    more = false
    for _, id in ipairs(first(keys, '+inf', wanted)) do
      if #found < limit and not skip[id] then
        if is_gone(id) then
          for _, key in ipairs(keys) do call('ZREM', key, id) end
          more = true
        else
          found[#found + 1] = read(id)
        end
        skip[id] = true
      end
    end
  end
end

for _, priority in ipairs(priorities) do
  for _, group in ipairs(#found < limit and lanes(priority, queues, {}, true) or {}) do
    take(group.keys)
  end
end
return found
