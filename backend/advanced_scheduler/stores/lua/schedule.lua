-- Put before `put` and `remove`: what is kept beside the hash of a schedule.

-- Take it out of the indexes by what it holds; `known` has fields by name.
local function unlist(id, known)
  if known.name and call('HGET', P .. 'names', known.name) == id then
    call('HDEL', P .. 'names', known.name)
  end
  if known.event then mark('on:' .. known.event, id, false) end
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
