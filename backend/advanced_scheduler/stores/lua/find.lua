-- Read executions from the newest on: a page of the smallest index that holds all matches.
-- ARGV     limit, the id to begin before or '', priority or '',
--          task, workflow and schedule id and queue: each a list of one or none,
--          1 and statuses or 0 and none, ids to skip (lists: their length first)
-- returns  {the id to go on before, or '' at the end, {rows, each in one piece, see `packed`}}
local PAGE = 1000
local limit, cursor, priority = tonumber(arg()), arg(), arg()
local wanted = { task_id = args()[1], workflow_id = args()[1], schedule_id = args()[1] }
local queue = args()[1]
local narrow, statuses = arg() == '1', args()
local skip = set(args())

local indexes = { { P .. 'ids' } }
for name, kind in pairs({ task_id = 'task:', workflow_id = 'workflow:', schedule_id = 'schedule:' }) do
  if wanted[name] then indexes[#indexes + 1] = { P .. kind .. wanted[name] } end
end
if queue and queue ~= DEFAULT then indexes[#indexes + 1] = { P .. 'queue:' .. queue } end
if narrow then
  local keys = {}
  for at, status in ipairs(statuses) do keys[at] = P .. 'status:' .. status end
  indexes[#indexes + 1] = keys
end
local function size(keys)
  local sum = 0
  for _, key in ipairs(keys) do sum = sum + call('ZCARD', key) end
  return sum
end
local best, least = nil, math.huge
for _, keys in ipairs(indexes) do
  local number = size(keys)
  if number < least then best, least = keys, number end
end

local last, ids = cursor == '' and '+' or '(' .. cursor, {}
for _, key in ipairs(best) do
  for _, id in ipairs(call('ZREVRANGEBYLEX', key, last, '-', 'LIMIT', 0, PAGE)) do
    ids[#ids + 1] = id
  end
end
if #best > 1 then table.sort(ids, function(one, other) return precedes(other, one) end) end

statuses = set(statuses)
local function matches(id)
  local row = redis.pcall(
    'HMGET', P .. 'x:' .. id, 'status', 'priority', 'task_id', 'workflow_id', 'schedule_id', 'queue'
  )
  if row.err then return not narrow and not next(wanted) and not queue and priority == '' end
  return (not narrow or statuses[row[1]])
    and (priority == '' or row[2] == priority)
    and (not wanted.task_id or row[3] == wanted.task_id)
    and (not wanted.workflow_id or row[4] == wanted.workflow_id)
    and (not wanted.schedule_id or row[5] == wanted.schedule_id)
    and (not queue or (row[6] or DEFAULT) == queue)
end

local found = {}
for at = 1, math.min(PAGE, #ids) do
  cursor = ids[at]
  if not skip[cursor] and matches(cursor) then found[#found + 1] = read(cursor) end
  if #found == limit then break end
end
return { (#ids < PAGE or #found == limit) and '' or cursor, found }
