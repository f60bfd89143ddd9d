-- How executions go that have ended: for the scripts that delete some.
local known = {}

-- What an execution adds to the totals of its schedule stays, as long as that is there.
local function sum_up(schedule, row, started)
  if known[schedule] == nil then known[schedule] = call('EXISTS', P .. 's:' .. schedule) == 1 end
  if not known[schedule] then return end
  local key = 'totals:' .. schedule
  tally(key, row.status .. ' count', 1)
  tally(key, row.status .. ' micros', duration(started, row.completed_time))
end

-- The kinds of records that belong to the execution with their id.
local OF_EXECUTION = {'log', 'spawned', 'again', 'rerun'}

local function drop_record(kind, id)
  if call('HDEL', P .. 'records:' .. kind, id) == 1 then
    call('ZREM', P .. 'recorded:' .. kind, id)
    call('ZREM', P .. 'written:' .. kind, id)
  end
end

-- Delete an execution that has ended; false for any other.
local function forget(id)
  local row = state(id)
  if not row or not FINAL[row.status] then return false end -- damaged: it stays
  local workflow, schedule, started = unpack(
    call('HMGET', P .. 'x:' .. id, 'workflow_id', 'schedule_id', 'started_time')
  )
  if workflow then mark('workflow:' .. workflow, id, false) end
  if schedule then
    mark('schedule:' .. schedule, id, false)
    sum_up(schedule, row, started)
  end
  for _, key in ipairs(call('SMEMBERS', P .. 'blockers:' .. id)) do
    call('SREM', P .. 'waiters:' .. key, id)
  end
  call('DEL', P .. 'x:' .. id, P .. 'blockers:' .. id)
  for _, kind in ipairs(OF_EXECUTION) do drop_record(kind, id) end
  place(id, row, false)
  mark('ids', id, false)
  mark('task:' .. row.task_id, id, false)
  for _, waiter in ipairs(call('SMEMBERS', P .. 'waiters:' .. id)) do
    mark('suspects', waiter, 0)
  end
  return true
end
