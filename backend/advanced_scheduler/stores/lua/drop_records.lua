-- Delete records of a kind.
-- ARGV     kind, a time ('' for none), when they must have been written ('' for any), limit, ids:
--          these, or those written before the time
-- returns  how many went
local kind, before, expected, limit, ids = arg(), arg(), arg(), arg(), args()
if before ~= '' then
  ids = call('ZRANGEBYSCORE', P .. 'written:' .. kind, '-inf', '(' .. before, 'LIMIT', 0, limit)
end
local dropped = 0
for _, id in ipairs(ids) do
  if expected == '' or written_at(kind, id, expected) then
    dropped = dropped + call('HDEL', P .. 'records:' .. kind, id)
    call('ZREM', P .. 'recorded:' .. kind, id)
    call('ZREM', P .. 'written:' .. kind, id)
  end
end
return dropped
