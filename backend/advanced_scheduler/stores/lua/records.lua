-- Read records of a kind by id downwards.
-- ARGV     kind, the id to stop before ('' for none), limit
-- returns  ids, each before what `save_record` has stored
local kind, cursor, limit, found = arg(), arg(), arg(), {}
local last = cursor == '' and '+' or '(' .. cursor
for _, id in ipairs(call('ZREVRANGEBYLEX', P .. 'recorded:' .. kind, last, '-', 'LIMIT', 0, limit)) do
  found[#found + 1] = id
  found[#found + 1] = call('HGET', P .. 'records:' .. kind, id) or ''
end
return found
