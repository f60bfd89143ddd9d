-- Insert a schedule, or replace the stored one if it is as expected.
-- ARGV     id, version ('' if there must be none) and next fire time ('' for none) of the stored
--          one, next fire time of the new one ('' if it has none or is paused),
--          fields and values of the new one
-- returns  1, or 0 if what is stored is not as expected
local id, version, expected, next_fire = arg(), arg(), arg(), arg()
local hash = P .. 's:' .. id
if version == '' then
  if call('EXISTS', hash) == 1 then return 0 end
else
  local known = redis.pcall('HMGET', hash, 'version', 'next_fire_time')
  if known.err or known[1] ~= version or (known[2] or '') ~= expected then return 0 end
end
call('DEL', hash)
call('HSET', hash, unpack(ARGV, position + 1))
mark('schedules', id, 0)
mark('due', id, next_fire ~= '' and next_fire)
flush()
return 1
