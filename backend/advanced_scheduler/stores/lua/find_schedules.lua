-- Read the schedules that fit, by id: a page.
-- ARGV     limit, the id to begin after or '', name, event and task id: each a list of one or
--          none, ids to skip (lists: their length first)
-- returns  {the id to go on after, or '' at the end, {schedules, each in one piece, see `packed`}}
--
-- There is no index by task: nodes of older versions would leave holes in it.
local PAGE = 1000
local limit, cursor = tonumber(arg()), arg()
local wanted = { name = args()[1], event = args()[1], task_id = args()[1] }
local skip = set(args())

local function page()
  if wanted.name then
    local id = call('HGET', P .. 'names', wanted.name)
    return (not id or cursor ~= '' and not precedes(cursor, id)) and {} or { id }
  end
  local key = wanted.event and 'on:' .. wanted.event or 'schedules'
  return call('ZRANGEBYLEX', P .. key, cursor == '' and '-' or '(' .. cursor, '+', 'LIMIT', 0, PAGE)
end

local function matches(fields)
  local row = by_name(fields)
  for name, value in pairs(wanted) do
    if row[name] ~= value then return false end
  end
  return true
end

local ids, found = page(), {}
for _, id in ipairs(ids) do
  cursor = id
  local fields = fields_of(P .. 's:' .. id)
  if not skip[id] and matches(fields) then found[#found + 1] = packed(id, fields) end
  if #found == limit then break end
end
return { (#ids < PAGE or #found == limit) and '' or cursor, found }
