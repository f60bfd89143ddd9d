-- Delete a schedule with its versions and totals; its ticks stay.
-- ARGV     id
-- returns  1, or 0 if there was none
local id = arg()
unlist(id, by_name(fields_of(P .. 's:' .. id)))
mark('schedules', id, false)
mark('due', id, false)
flush()
drop_history(id)
return call('DEL', P .. 's:' .. id)
