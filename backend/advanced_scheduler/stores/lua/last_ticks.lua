-- Look for the latest instant on record of schedules.
-- ARGV     first instant, the instant to stop before, ids
-- returns  for each the instant as text, or ''
local start, stop = arg(), arg()
local found = {}
for at = 3, #ARGV do
  local key = P .. 'ticks:' .. ARGV[at]
  local last = call('ZREVRANGEBYSCORE', key, '(' .. stop, start, 'LIMIT', 0, 1)
  found[#found + 1] = last[1] or ''
end
return found
