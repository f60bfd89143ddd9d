-- What all scripts share; it is put before each of them, after these lines of redis_client.py:
--   FINAL, CLAIMABLE  sets of statuses; MEETS  by the status of an end: a set of the needs that it
--   meets; RUNNING  a status; TASK  what begins the key of a task; DEFAULT  a queue
-- KEYS[1]  "{prefix}:", with which every key begins: its braces keep all keys in one slot
-- ARGV[1]  what the scripts call ARGV: texts, with a NUL after each. One long argument costs the
--          client a fraction of many short ones; so do rows that are answered in one piece.
--
-- x:<id>              hash, an execution: its fields; blocked=1 while something blocks it, and then
--                     needs, what `lifecycle.plain_need` says, if it says something
-- blockers:<id>       set, the keys that block an execution
-- waiters:<key>       set, the executions that a key blocks
-- lane:<priority>     sorted set by due time, what may be claimed then
-- held:<priority>     sorted set by due time, what would be in the lane if nothing blocked it
-- aside:<priority>:<task>  a part of the lane: tasks that some node does not know
-- aside               set, "<priority>:<task>" of each of them
-- lane:<priority>:<rank>:<queue>, held:..., lane:<priority>:<rank>:<queue> NUL <task>
--                     the same for executions of other queues than the default or ranks than 0,
--                     which nodes of older versions do not see
-- lanes               set, the keys of all of these
-- leases, ended       sorted sets by lease_until (RUNNING) and completed_time
-- timeouts            sorted set by wait_until, blocked executions
-- suspects            sorted set by id, blocked executions that may be stranded
-- ids, status:<status>, task:<id>, workflow:<id>, schedule:<id>, ended:<task>, queue:<other>
--                     sorted sets by id of executions
-- unique              hash, unique key -> the execution that holds it
-- counts, open        hashes, "<status> <priority>" and task id -> how many
-- s:<id>              hash, a schedule
-- schedules, due      sorted sets of schedules by id, by next fire time
-- names               hash, name -> schedule
-- on:<event>          sorted set by id of schedules
-- version:<n>:<id>    hash, a schedule as it was put
-- versions:<id>       sorted set of its versions
-- totals:<id>         hash, "<status> count" and "<status> micros" of executions that are pruned
-- tick:<instant>:<schedule>  hash, a tick
-- ticks:<schedule>    sorted set of instants
-- ledgers             sorted set by the oldest instant, schedules that have ticks
-- outcome:<outcome>   sorted set by instant, "<instant>:<schedule>" of ticks
-- records:<kind>      hash, id -> when it was written, a blank, the JSON of a record
-- recorded:<kind>, written:<kind>  sorted sets of its ids, by id and by time
-- signals             channel
--
-- Times are microseconds. They go from field to score as the text that they are: Lua would
-- print such numbers with 14 digits. Nor does Lua compare texts, since `<` follows the locale.
local P, call = KEYS[1], redis.call

local function split(text)
  local find, sub = string.find, string.sub
  local list, count, from, to = {}, 0, 1, find(text, '\0', 1, true)
  while to do
    count = count + 1
    list[count] = sub(text, from, to - 1)
    from = to + 1
    to = find(text, '\0', from, true)
  end
  return list
end

local ARGV = split(ARGV[1])
local position = 0
local function arg()
  position = position + 1
  return ARGV[position]
end

-- A list that its length precedes, as a list or as a set.
local function args()
  local list = {}
  for at = 1, tonumber(arg()) do list[at] = arg() end
  return list
end

local function set(list)
  local found = {}
  for _, one in ipairs(list) do found[one] = true end
  return found
end

local function precedes(one, other)
  local at = 1
  while true do
    local x, y = string.byte(one, at), string.byte(other, at)
    if x ~= y then return (x or -1) < (y or -1) end
    if not x then return false end
    at = at + 1
  end
end

local function each(command, key, list)
  for from = 1, #list, 5000 do
    call(command, key, unpack(list, from, math.min(from + 4999, #list)))
  end
end

-- Changes of the indexes are collected, the last one counts, and written by `flush`.
local scores, tallies, work = {}, {}, false

local function mark(key, member, score)
  local members = scores[key]
  if not members then
    members = {}
    scores[key] = members
  end
  members[member] = score or false
end

local function tally(key, field, number)
  local fields = tallies[key] or {}
  tallies[key] = fields
  fields[field] = (fields[field] or 0) + number
end

local function flush()
  for key, members in pairs(scores) do
    local added, removed = {}, {}
    for member, score in pairs(members) do
      if score then
        added[#added + 1] = score
        added[#added + 1] = member
      else
        removed[#removed + 1] = member
      end
    end
    each('ZREM', P .. key, removed)
    each('ZADD', P .. key, added)
  end
  for key, fields in pairs(tallies) do
    for field, number in pairs(fields) do
      if number ~= 0 and call('HINCRBY', P .. key, field, number) == 0 then
        call('HDEL', P .. key, field)
      end
    end
  end
  scores, tallies = {}, {}
  if work then call('PUBLISH', P .. 'signals', 'work') end
  work = false
end

-- What the indexes need to know of an execution.
local STATE = {
  'status', 'priority', 'task_id', 'fence', 'scheduled_time', 'due_time', 'lease_until',
  'completed_time', 'wait_until', 'blocked', 'unique_key', 'node', 'queue', 'rank',
}

local function is_number(text)
  if not text then return true end
  local number = tonumber(text)
  return number and number == number
end

-- Whether nothing that the indexes need is damaged.
local function sound(row)
  return row.status and row.priority and row.task_id and row.fence and row.scheduled_time
    and is_number(row.scheduled_time) and is_number(row.due_time) and is_number(row.lease_until)
    and is_number(row.completed_time) and is_number(row.wait_until)
    and (not row.rank or string.find(row.rank, '^%-?%d+$') ~= nil)
end

-- Those fields by name, false for each that it lacks; nil if it is damaged.
local function state(id)
  local values = redis.pcall('HMGET', P .. 'x:' .. id, unpack(STATE))
  if values.err then return nil end
  local row = { -- at once: a table that grows field by field is made anew five times
    status = values[1], priority = values[2], task_id = values[3], fence = values[4],
    scheduled_time = values[5], due_time = values[6], lease_until = values[7],
    completed_time = values[8], wait_until = values[9], blocked = values[10],
    unique_key = values[11], node = values[12], queue = values[13], rank = values[14],
  }
  return sound(row) and row or nil
end

-- How the keys of an execution's lane end.
local function lane_of(row)
  local queue, rank = row.queue or DEFAULT, row.rank or '0'
  if queue == DEFAULT and rank == '0' then return row.priority end
  return row.priority .. ':' .. rank .. ':' .. queue
end

-- The part of a lane that is set aside for a task.
local function aside_of(lane, row)
  if lane == row.priority then return 'aside:' .. lane .. ':' .. row.task_id end
  return 'lane:' .. lane .. '\0' .. row.task_id
end

-- Note where an execution is to be found (here = true), or no longer is (false).
local function place(id, row, here)
  local status, priority, task = row.status, row.priority, row.task_id
  local zero = here and 0
  mark('status:' .. status, id, zero)
  tally('counts', status .. ' ' .. priority, here and 1 or -1)
  if FINAL[status] then
    mark('ended:' .. task, id, zero)
    mark('ended', id, here and row.completed_time)
  else
    tally('open', task, here and 1 or -1)
  end
  if row.queue and row.queue ~= DEFAULT then mark('queue:' .. row.queue, id, zero) end
  if CLAIMABLE[status] then
    local lane = lane_of(row)
    local key = (row.blocked and 'held:' or 'lane:') .. lane
    mark(key, id, here and (row.due_time or row.scheduled_time))
    if not here then
      mark(aside_of(lane, row), id, false)
    elseif lane ~= priority then
      call('SADD', P .. 'lanes', key)
    end
    work = work or here and not row.blocked
  elseif status == RUNNING then
    mark('leases', id, here and row.lease_until)
  end
  if row.blocked then
    mark('suspects', id, zero)
    mark('timeouts', id, here and row.wait_until)
  end
end

-- The members of a set that begin, after `kind`, the keys of what is not empty; drops the others.
local function alive(name, kind)
  local found = {}
  for _, member in ipairs(call('SMEMBERS', P .. name)) do
    if call('EXISTS', P .. kind .. member) == 1 then
      found[#found + 1] = member
    else
      call('SREM', P .. name, member)
    end
  end
  return found
end

-- What a key in the set `lanes` says of itself.
local function parsed(key)
  local kind, priority, rank, queue, task =
    string.match(key, '^(%a+):(%d+):(%-?%d+):([^%z]*)%z?(.*)$')
  return {
    key = P .. key, held = kind == 'held', priority = priority, rank = tonumber(rank),
    queue = queue, task = task,
  }
end

local asides, others -- read once

-- The lanes of one priority as {rank = number, keys = {...}}, the higher rank first: those of some
-- queues (nil: of all), but for those of some tasks; with what is held, if that is wanted.
local function lanes(priority, queues, exclude, held)
  local ranks, groups = {}, {}
  local function add(rank, key)
    local group = ranks[rank]
    if not group then
      group = { rank = rank, keys = {} }
      ranks[rank], groups[#groups + 1] = group, group
    end
    group.keys[#group.keys + 1] = key
  end
  if not asides then
    asides, others = alive('aside', 'aside:'), alive('lanes', '')
    for at, key in ipairs(others) do others[at] = parsed(key) end
  end
  if not queues or queues[DEFAULT] then
    add(0, P .. 'lane:' .. priority)
    if held then add(0, P .. 'held:' .. priority) end
    for _, name in ipairs(asides) do
      if string.sub(name, 1, 1) == priority and not exclude[string.sub(name, 3)] then
        add(0, P .. 'aside:' .. name)
      end
    end
  end
  for _, lane in ipairs(others) do
    if lane.priority == priority and (held or not lane.held)
      and (not queues or queues[lane.queue]) and not exclude[lane.task] then
      add(lane.rank, lane.key)
    end
  end
  table.sort(groups, function(one, other) return one.rank > other.rank end)
  return groups
end

-- The first members of several sorted sets up to a score, by score and then by member.
local function first(keys, last, limit)
  if #keys == 1 then
    return call('ZRANGEBYSCORE', keys[1], '-inf', last, 'LIMIT', 0, limit)
  end
  local entries = {}
  for _, key in ipairs(keys) do
    local found = call('ZRANGEBYSCORE', key, '-inf', last, 'WITHSCORES', 'LIMIT', 0, limit)
    for at = 1, #found, 2 do
      entries[#entries + 1] = { tonumber(found[at + 1]), found[at] }
    end
  end
  table.sort(entries, function(one, other)
    if one[1] ~= other[1] then return one[1] < other[1] end
    return precedes(one[2], other[2])
  end)
  local members = {}
  for at = 1, math.min(limit, #entries) do members[at] = entries[at][2] end
  return members
end

-- The earliest due time of what may be claimed then, as text; nil if there is nothing.
local function earliest()
  local least, text
  asides = nil -- there may be new ones by now
  for priority = 0, 4 do
    for _, group in ipairs(lanes(tostring(priority), nil, {})) do
      for _, key in ipairs(group.keys) do
        local found = call('ZRANGE', key, 0, 0, 'WITHSCORES')
        if found[2] and (not least or tonumber(found[2]) < least) then
          least, text = tonumber(found[2]), found[2]
        end
      end
    end
  end
  return text
end

-- Fields and values of a hash; none of what is no hash, or is gone.
local function fields_of(key)
  local fields = redis.pcall('HGETALL', key)
  return fields.err and {} or fields
end

-- The same by name.
local function by_name(fields)
  local found = {}
  for at = 1, #fields, 2 do found[fields[at]] = fields[at + 1] end
  return found
end

-- A hash in one piece: its id, then fields and values, with a NUL between each.
local function packed(id, fields)
  if #fields == 0 then return id end
  return id .. '\0' .. table.concat(fields, '\0')
end

-- An execution in one piece; what blocks it, are fields named "+".
local function packed_execution(id, fields)
  for at = 1, #fields, 2 do
    if fields[at] == 'blocked' then
      for _, key in ipairs(call('SMEMBERS', P .. 'blockers:' .. id)) do
        fields[#fields + 1] = '+'
        fields[#fields + 1] = key
      end
      break
    end
  end
  return packed(id, fields)
end

local function read(id)
  return packed_execution(id, fields_of(P .. 'x:' .. id))
end
