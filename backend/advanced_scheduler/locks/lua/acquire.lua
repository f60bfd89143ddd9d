-- Grant a lock, with a fence greater than every one before.
-- KEYS[1]  the lock: its value is the token of the holder
-- KEYS[2]  the fence of the last grant; it never expires
-- ARGV[1]  the token that wants the lock
-- ARGV[2]  time to live in milliseconds
-- returns  the fence, or 0 if another token holds the lock
--
-- The fence starts from the server's microseconds, so that it grows even when a restart has
-- lost the counter; it counts on by itself while that clock stands still or goes back.
-- A token that holds the lock already is one whose first grant went unanswered.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local fence = math.max(last + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%.0f', fence))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return fence
