-- Delete a schedule; its ticks stay.
-- ARGV     id
-- returns  1, or 0 if there was none
local id = arg()
mark('schedules', id, false)
mark('due', id, false)
flush()
return call('DEL', P .. 's:' .. id)
