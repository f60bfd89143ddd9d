-- Free a lock that is still the token's.
-- KEYS[1]  the lock
-- ARGV[1]  the token
-- returns  1, or 0 if the token does not hold the lock
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
