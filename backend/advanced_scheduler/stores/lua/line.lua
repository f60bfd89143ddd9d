-- Read the executions that wait to be claimed, blocked ones too, in the order of claims.
-- ARGV     limit, priorities, ids to skip (lists: their length first)
-- returns  rows, each in one piece, see `packed`
local limit, priorities, skip = tonumber(arg()), args(), args()
local wanted = limit + #skip
skip = set(skip)
local found = {}
for _, priority in ipairs(priorities) do
  local keys = lanes(priority, {})
  keys[#keys + 1] = P .. 'held:' .. priority
  if #found < limit then
    for _, id in ipairs(first(keys, '+inf', wanted)) do
      if #found < limit and not skip[id] then found[#found + 1] = read(id) end
    end
  end
end
return found
