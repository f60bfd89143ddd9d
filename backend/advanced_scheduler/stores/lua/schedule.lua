-- Put before the scripts that add, replace and remove: what is kept beside the hash of a schedule.

-- Take it out of the indexes by what it holds; `known` has fields by name.
local function unlist(id, known)
  if known.name and call('HGET', P .. 'names', known.name) == id then
    call('HDEL', P .. 'names', known.name)
  end
  if known.event then mark('on:' .. known.event, id, false) end
end

-- The other schedule that has this name, if there is one. A node of an older version takes no name
-- out when it removes or replaces a schedule.
local function holder_of(id, name)
  local holder = name and call('HGET', P .. 'names', name)
  if not holder or holder == id then return nil end
  local known = redis.pcall('HGET', P .. 's:' .. holder, 'name')
  if known == name or type(known) == 'table' then return holder end
end

local function enlist(id, new, next_fire)
  if new.name then call('HSET', P .. 'names', new.name, id) end
  if new.event then mark('on:' .. new.event, id, 0) end
  mark('schedules', id, 0)
  mark('due', id, next_fire ~= '' and next_fire)
end

local function keep_version(id, number, fields)
  local key = P .. 'version:' .. number .. ':' .. id
  call('DEL', key)
  call('HSET', key, unpack(fields))
  call('ZADD', P .. 'versions:' .. id, number, number)
end

local function drop_versions(id, last)
  local key = P .. 'versions:' .. id
  local old = call('ZRANGE', key, 0, last)
  for _, version in ipairs(old) do call('DEL', P .. 'version:' .. version .. ':' .. id) end
  each('ZREM', key, old)
end

local function drop_history(id)
  drop_versions(id, -1)
  call('DEL', P .. 'totals:' .. id)
end
