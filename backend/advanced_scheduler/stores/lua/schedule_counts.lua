-- Count the schedules in each state, see `Schedule.state`: a page of them.
-- ARGV     the id to begin after, or ''
-- returns  {the id to go on after, or '' at the end, {state, number, ...}}
local PAGE = 1000

local function state(id)
  local known = redis.pcall(
    'HMGET', P .. 's:' .. id, 'paused', 'next_fire_time', 'event', 'max_runs', 'run_count'
  )
  if known.err or not known[1] then return nil end
  local most = tonumber(known[4] or nil)
  local spent = most and (tonumber(known[5] or '0') or 0) >= most
  if spent or not known[2] and not known[3] then return 'ended' end
  return known[1] ~= '0' and 'paused' or 'active'
end

local cursor = arg()
local from = cursor == '' and '-' or '(' .. cursor
local ids = call('ZRANGEBYLEX', P .. 'schedules', from, '+', 'LIMIT', 0, PAGE)
local counts, found = {}, {}
for _, id in ipairs(ids) do
  local one = state(id)
  if one then counts[one] = (counts[one] or 0) + 1 end
end
for one, number in pairs(counts) do
  found[#found + 1] = one
  found[#found + 1] = number
end
return { #ids < PAGE and '' or ids[#ids], found }
