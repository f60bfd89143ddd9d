-- Read the executions that wait to be claimed, blocked ones too, in the order of claims.
-- ARGV     limit, queue (a list of one or none), priorities, ids to skip (lists: their length
--          first)
-- returns  rows, each in one piece, see `packed`
local limit, queues, priorities, skip = tonumber(arg()), args(), args(), args()
queues = queues[1] and set(queues)
local wanted = limit + #skip
skip = set(skip)
local found = {}
for _, priority in ipairs(priorities) do
  for _, group in ipairs(#found < limit and lanes(priority, queues, {}, true) or {}) do
    for _, id in ipairs(first(group.keys, '+inf', wanted)) do
      if #found < limit and not skip[id] then found[#found + 1] = read(id) end
    end
  end
end
return found
