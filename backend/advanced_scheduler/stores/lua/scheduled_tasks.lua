-- Count the schedules of each task: a page of them.
-- ARGV     the id to begin after, or ''
-- returns  {the id to go on after, or '' at the end, {task id, number, ...}}
local PAGE = 5000
local cursor = arg()
local from = cursor == '' and '-' or '(' .. cursor
local ids = call('ZRANGEBYLEX', P .. 'schedules', from, '+', 'LIMIT', 0, PAGE)
local counts, found = {}, {}
for _, id in ipairs(ids) do
  local task = redis.pcall('HGET', P .. 's:' .. id, 'task_id')
  if type(task) == 'string' then counts[task] = (counts[task] or 0) + 1 end
end
for task, number in pairs(counts) do
  found[#found + 1] = task
  found[#found + 1] = number
end
return { #ids < PAGE and '' or ids[#ids], found }
