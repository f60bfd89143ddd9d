-- Read blocked executions that wait for nothing any more, by id: a page of the suspects.
-- ARGV     now, limit, the id to begin after or '', ids to skip
-- returns  {the id to go on after, or '' at the end, {rows, each in one piece, see `packed`}}
--
-- Whatever may strand an execution makes it a suspect: being added, the end or the removal of
-- what it waits for, the time. Here those that are not stranded are cleared of it.
local now, limit, cursor = arg(), tonumber(arg()), arg()
local skip = set(args())

local function is_over(id, key)
  if string.sub(key, 1, #TASK) == TASK then
    local ended = P .. 'ended:' .. string.sub(key, #TASK + 1)
    return #call('ZRANGEBYLEX', ended, '(' .. id, '+', 'LIMIT', 0, 1) > 0
  end
  local status = redis.pcall('HGET', P .. 'x:' .. key, 'status')
  return not status or type(status) == 'string' and FINAL[status]
end

local function is_stranded(id)
  local row = state(id)
  if not row or row.wait_until and tonumber(row.wait_until) <= tonumber(now) then return true end
  for _, key in ipairs(call('SMEMBERS', P .. 'blockers:' .. id)) do
    if is_over(id, key) then return true end
  end
  return false
end

if cursor == '' then
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'timeouts', '-inf', now)) do
    mark('suspects', id, 0)
  end
  flush()
end
local from = cursor == '' and '-' or '(' .. cursor
local page, found = call('ZRANGEBYLEX', P .. 'suspects', from, '+', 'LIMIT', 0, 1000), {}
for _, id in ipairs(page) do
  cursor = id
  if not skip[id] then
    if is_stranded(id) then found[#found + 1] = read(id) else mark('suspects', id, false) end
    if #found == limit then break end
  end
end
flush()
return { (#page < 1000 or #found == limit) and '' or cursor, found }
