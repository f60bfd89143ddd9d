-- Sum up the executions of a schedule that ended, from the newest on: a page of them.
-- ARGV     schedule id, the id to begin before or ''
-- returns  {the id to go on before, or '' at the end, {"<status> count" or "<status> micros" and
--          a number, of each}}
--
-- What was pruned comes last: since the oldest go first, what goes between two pages counts once.
local PAGE = 1000
local schedule, cursor = arg(), arg()
local from = cursor == '' and '+' or '(' .. cursor
local ids = call('ZREVRANGEBYLEX', P .. 'schedule:' .. schedule, from, '-', 'LIMIT', 0, PAGE)
local sums = {}
local function add(name, number) sums[name] = (sums[name] or 0) + number end
for _, id in ipairs(ids) do
  local row = redis.pcall('HMGET', P .. 'x:' .. id, 'status', 'started_time', 'completed_time')
  if FINAL[row[1]] then
    add(row[1] .. ' count', 1)
    add(row[1] .. ' micros', duration(row[2], row[3]))
  end
end
local found = #ids < PAGE and fields_of(P .. 'totals:' .. schedule) or {}
for name, number in pairs(sums) do
  found[#found + 1] = name
  found[#found + 1] = string.format('%.0f', number)
end
return { #ids < PAGE and '' or ids[PAGE], found }
