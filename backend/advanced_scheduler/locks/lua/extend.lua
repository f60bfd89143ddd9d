-- Replace the time to live of a lock that is still the token's.
-- KEYS[1]  the lock
-- ARGV[1]  the token
-- ARGV[2]  time to live from now, in milliseconds
-- returns  1, or 0 if the token does not hold the lock
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
