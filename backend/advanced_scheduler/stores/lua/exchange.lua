-- Apply transitions, then claim executions: the verbs apply, claim and exchange.
-- ARGV     how many shapes of transitions, and for each
--            sources, target, fields to set, fields to delete
--          how many transitions, and for each
--            number of its shape, id, fence or '', values to set, keys that block it no more
--          1 to settle what waits for what has ended, else 0
--          how many executions to claim, the time now,
--          for each claimed row: fields and values to set, fields to delete, fields and numbers
--            to add,
--          task ids to exclude, execution ids to skip, 1 and queues to serve or 0 and none for
--            all, queues and priorities that are paused (lists: their length first)
-- returns  {1 or 0 for each transition, waiting rows, claimed rows as they were before, ids that
--          are unblocked, the next due time if fewer were found than wanted}; rows are in one
--          piece each, see `packed`
--          A claimed row without fields was damaged and left as it is.
local ended, known = {}, {} -- the keys of what has ended, each once, and how it did

local function note_end(key, status)
  if known[key] then return end -- of two runs of a task, the first to end is waited for
  ended[#ended + 1] = key
  known[key] = status
end

local function free(id, row, keys)
  each('SREM', P .. 'blockers:' .. id, keys)
  for _, key in ipairs(keys) do call('SREM', P .. 'waiters:' .. key, id) end
  if call('EXISTS', P .. 'blockers:' .. id) == 0 then
    call('HDEL', P .. 'x:' .. id, 'blocked')
    row.blocked = nil
  end
end

local shapes = {}
for at = 1, tonumber(arg()) do
  shapes[at] = { sources = set(args()), target = arg(), names = args(), dropped = args() }
end

local function apply()
  local shape, id, fence = shapes[tonumber(arg())], arg(), arg()
  local changes, dropped = { 'status', shape.target }, shape.dropped
  for at, name in ipairs(shape.names) do
    changes[2 * at + 1] = name
    changes[2 * at + 2] = arg()
  end
  local keys = args()
  local row = state(id)
  if not row or not shape.sources[row.status] then return 0 end
  if fence ~= '' and fence ~= row.fence then return 0 end
  local key, hash = row.unique_key, P .. 'x:' .. id
  place(id, row, false)
  call('HSET', hash, unpack(changes))
  for at = 1, #changes, 2 do row[changes[at]] = changes[at + 1] end
  if #dropped > 0 then
    call('HDEL', hash, unpack(dropped))
    for _, name in ipairs(dropped) do row[name] = nil end
  end
  if key and not row.unique_key then call('HDEL', P .. 'unique', key) end
  if #keys > 0 and row.blocked then free(id, row, keys) end
  place(id, row, true)
  if FINAL[row.status] then
    note_end(id, row.status)
    note_end(TASK .. row.task_id, row.status)
  end
  return 1
end

local applied = {}
for at = 1, tonumber(arg()) do applied[at] = apply() end

-- Take a key off an execution whose need its end meets; false if somebody has to look at it.
local function settle(id, key)
  local blockers = P .. 'blockers:' .. id
  if not MEETS[known[key]][redis.pcall('HGET', P .. 'x:' .. id, 'needs')] then return false end
  if call('SCARD', blockers) == 1 then
    local row = state(id)
    if not row then return false end
    place(id, row, false)
    call('HDEL', P .. 'x:' .. id, 'blocked', 'needs', 'wait_until')
    row.blocked, row.wait_until = nil, nil
    place(id, row, true)
  end
  call('SREM', blockers, key)
  call('SREM', P .. 'waiters:' .. key, id)
  return true
end

local waiting, unblocked, met, tell = {}, {}, {}, arg() == '1'
local function look(id, key)
  local list = unblocked
  if not tell or not settle(id, key) then
    mark('suspects', id, 0)
    list = waiting
  end
  met[list] = met[list] or {}
  if not met[list][id] then list[#list + 1] = id end
  met[list][id] = true
end

for from = 1, #ended, 5000 do
  local names = {}
  for at = from, math.min(from + 4999, #ended) do
    names[#names + 1] = P .. 'waiters:' .. ended[at]
  end
  if call('EXISTS', unpack(names)) > 0 then -- in most cases nobody waits
    for at, name in ipairs(names) do
      for _, id in ipairs(call('SMEMBERS', name)) do look(id, ended[from + at - 1]) end
    end
  end
end
flush()

local left, now = tonumber(arg()), arg()
local grant, dropped, growth, exclude, skip = args(), args(), args(), set(args()), args()
local some, named, paused, idle = arg() == '1', set(args()), set(args()), set(args())
local queues = (some or next(paused)) and setmetatable({}, {
  __index = function(_, queue) return (not some or named[queue]) and not paused[queue] end,
})
local extra = #skip
skip = set(skip)

-- The fields of an execution by name; nil if it is damaged.
local function readable(fields)
  local row = by_name(fields)
  for at = 1, #growth, 2 do
    if not tonumber(row[growth[at]]) then return nil end
  end
  return sound(row) and row or nil
end

local function is_claimable(row)
  return row and CLAIMABLE[row.status] and not row.blocked
end

local granted = #grant
local function claim(id, row)
  local hash, changes, gone = P .. 'x:' .. id, grant, {}
  for at = 1, #growth, 2 do
    changes[granted + at] = growth[at]
    changes[granted + at + 1] = string.format('%.0f', row[growth[at]] + growth[at + 1])
  end
  for _, name in ipairs(dropped) do
    if row[name] then gone[#gone + 1] = name end
  end
  place(id, row, false)
  call('HSET', hash, unpack(changes))
  if #gone > 0 then call('HDEL', hash, unpack(gone)) end
  for at = 1, #changes, 2 do row[changes[at]] = changes[at + 1] end
  place(id, row, true)
end

-- Whether an execution that lies in the lanes of a rank is there by mistake: a node of an older
-- version, which does not know its lane, may have unblocked, or ended it.
local function is_stray(row, rank)
  return FINAL[row.status] or row.status == RUNNING
    or tonumber(row.rank or 0) ~= rank
    or queues and not queues[row.queue or DEFAULT]
end

-- What a node cannot run lies aside from now on, so that it is in nobody's way; what is in the
-- wrong lane goes to its own.
local function move(keys, id, row)
  for _, key in ipairs(keys) do call('ZREM', key, id) end
  if not CLAIMABLE[row.status] then return end
  local lane = lane_of(row)
  local key = exclude[row.task_id] and aside_of(lane, row) or 'lane:' .. lane
  call('ZADD', P .. key, row.due_time or row.scheduled_time, id)
  if lane ~= row.priority then
    call('SADD', P .. 'lanes', key)
  elseif exclude[row.task_id] then
    call('SADD', P .. 'aside', row.priority .. ':' .. row.task_id)
  end
end

local claimed = {}
local function take(group)
  local keys, more = group.keys, true
  while left > 0 and more do
    more = false
    for _, id in ipairs(first(keys, now, left + extra)) do
      if left > 0 and not skip[id] then
        local fields = fields_of(P .. 'x:' .. id)
        local row = readable(fields)
        more = true
        if row and is_stray(row, group.rank) or is_claimable(row) and exclude[row.task_id] then
          move(keys, id, row)
        else
          if is_claimable(row) then claim(id, row) else fields = {} end
          claimed[#claimed + 1] = packed(id, fields)
          skip[id], extra, left = true, extra + 1, left - 1
        end
      end
    end
  end
end

for priority = 0, 4 do
  local open = left > 0 and not idle[tostring(priority)]
  for _, group in ipairs(open and lanes(tostring(priority), queues, exclude) or {}) do
    take(group)
  end
end
flush()
for at, id in ipairs(waiting) do waiting[at] = tell and read(id) end
return { applied, waiting, claimed, unblocked, left > 0 and earliest() or false }
