-- Read the ledger of a schedule.
-- ARGV     schedule id, first instant, the instant to stop before, limit
-- returns  ticks by instant, each in one piece, see `packed`
local id, start, stop, limit = arg(), arg(), arg(), arg()
local found = {}
local instants = call('ZRANGEBYSCORE', P .. 'ticks:' .. id, start, '(' .. stop, 'LIMIT', 0, limit)
for _, instant in ipairs(instants) do
  found[#found + 1] = packed(id, fields_of(P .. 'tick:' .. instant .. ':' .. id))
end
return found
