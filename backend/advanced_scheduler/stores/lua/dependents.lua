-- Read the executions that one of some keys blocks, in any order.
-- ARGV     keys
-- returns  rows, each in one piece, see `packed`
local found, met = {}, {}
for _, key in ipairs(ARGV) do
  for _, id in ipairs(call('SMEMBERS', P .. 'waiters:' .. key)) do
    if not met[id] then found[#found + 1] = read(id) end
    met[id] = true
  end
end
return found
