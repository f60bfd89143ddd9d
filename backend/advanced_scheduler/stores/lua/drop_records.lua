-- Delete records of a kind.
-- ARGV     kind, a time ('' for none), limit, ids: these, or those written before the time
-- returns  how many were there
local kind, before, limit, ids = arg(), arg(), arg(), args()
if before ~= '' then
  ids = call('ZRANGEBYSCORE', P .. 'written:' .. kind, '-inf', '(' .. before, 'LIMIT', 0, limit)
end
local dropped = 0
for _, id in ipairs(ids) do
  dropped = dropped + call('HDEL', P .. 'records:' .. kind, id)
  call('ZREM', P .. 'recorded:' .. kind, id)
  call('ZREM', P .. 'written:' .. kind, id)
end
return dropped
