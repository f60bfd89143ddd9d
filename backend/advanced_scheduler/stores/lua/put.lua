-- Insert a schedule, or replace the stored one if it is as expected; keep each version.
-- ARGV     id, version ('' if there must be none), next and last fire time ('' for none) of the
--          stored one, next fire time of the new one ('' if it has none or is paused),
--          how many versions to keep, fields and values of the new one
-- returns  1, or 0 if what is stored is not as expected, or the id of the one that has its name
local id, version, expected, last, next_fire, limit = arg(), arg(), arg(), arg(), arg(), arg()
local hash, fields = P .. 's:' .. id, { unpack(ARGV, position + 1) }
local new, old = by_name(fields), by_name(fields_of(hash))
if version == '' then
  if call('EXISTS', hash) == 1 then return 0 end
elseif old.version ~= version or (old.next_fire_time or '') ~= expected
  or (old.last_fire_time or '') ~= last then
  return 0
end

local holder = holder_of(id, new.name)
if holder then return holder end

if version == '' then
  drop_history(id) -- such a node may have left one
elseif call('EXISTS', P .. 'version:' .. version .. ':' .. id) == 0 then
  keep_version(id, version, fields_of(hash)) -- such a node has put it
end
keep_version(id, new.version, fields)
drop_versions(id, -1 - limit)

unlist(id, old)
call('DEL', hash)
call('HSET', hash, unpack(fields))
if version ~= '' then call('HDEL', hash, 'run_count') end
if old.run_count then call('HSET', hash, 'run_count', old.run_count) end
enlist(id, new, next_fire)
flush()
return 1
