-- Put before `add` and `fire`: one execution, as
-- id, unique key or '', keys that block it, fields and values (lists: their length first)

-- Where an execution stands in ARGV, and whether its id and unique key are free.
local function peek()
  local row = { id = arg(), unique_key = arg(), keys = args() }
  row.count = tonumber(arg())
  row.from = position + 1
  position = position + row.count
  row.free = call('EXISTS', P .. 'x:' .. row.id) == 0
    and (row.unique_key == '' or call('HEXISTS', P .. 'unique', row.unique_key) == 0)
  return row
end

local function insert(row)
  local id, hash = row.id, P .. 'x:' .. row.id
  call('HSET', hash, unpack(ARGV, row.from, row.from + row.count - 1))
  local fields = {}
  for at = row.from, row.from + row.count - 1, 2 do fields[ARGV[at]] = ARGV[at + 1] end
  if row.unique_key ~= '' then call('HSET', P .. 'unique', row.unique_key, id) end
  for _, key in ipairs(row.keys) do
    call('SADD', P .. 'blockers:' .. id, key)
    call('SADD', P .. 'waiters:' .. key, id)
  end
  mark('ids', id, 0)
  for name, key in pairs({ task_id = 'task:', workflow_id = 'workflow:', schedule_id = 'schedule:' }) do
    if fields[name] then mark(key .. fields[name], id, 0) end
  end
  if FINAL[fields.status] then
    for _, key in ipairs({ id, TASK .. fields.task_id }) do
      for _, waiter in ipairs(call('SMEMBERS', P .. 'waiters:' .. key)) do
        mark('suspects', waiter, 0)
      end
    end
  end
  place(id, fields, true)
end
