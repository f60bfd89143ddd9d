-- Insert a record, or replace it.
-- ARGV     kind, id, when it was written, 1 if it must be new, when what it replaces must have been
--          written ('' for any), its JSON
-- returns  1, or 0 if there is no such one to replace, or one where it must be new
local kind, id, written, new, expected, data = arg(), arg(), arg(), arg(), arg(), arg()
if new == '1' and call('HEXISTS', P .. 'records:' .. kind, id) == 1 then return 0 end
if expected ~= '' and not written_at(kind, id, expected) then return 0 end
call('HSET', P .. 'records:' .. kind, id, written .. ' ' .. data)
call('ZADD', P .. 'recorded:' .. kind, 0, id)
call('ZADD', P .. 'written:' .. kind, written, id)
return 1
