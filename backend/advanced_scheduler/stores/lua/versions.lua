-- Read the versions of a schedule that is there, the oldest first.
-- ARGV     id
-- returns  schedules, each in one piece, see `packed`
local id = arg()
local fields = fields_of(P .. 's:' .. id)
if #fields == 0 then return {} end
local found, current = {}, by_name(fields).version
for _, version in ipairs(call('ZRANGE', P .. 'versions:' .. id, 0, -1)) do
  found[#found + 1] = packed(id, fields_of(P .. 'version:' .. version .. ':' .. id))
  if version == current then current = nil end
end
if current then found[#found + 1] = packed(id, fields) end -- a node of an older version put it
return found
