-- Count the ticks of all schedules.
-- ARGV     first instant, the instant to stop before, outcomes
-- returns  a number for each outcome
local start, stop, found = arg(), '(' .. arg(), {}
for _, outcome in ipairs(args()) do
  found[#found + 1] = call('ZCOUNT', P .. 'outcome:' .. outcome, start, stop)
end
return found
