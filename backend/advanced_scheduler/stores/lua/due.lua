-- Read schedules that are due, the earliest first.
-- ARGV     now, limit, ids to skip
-- returns  schedules, each in one piece, see `packed`
local now, limit, skip = arg(), tonumber(arg()), args()
local found, wanted = {}, limit + #skip
skip = set(skip)
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, wanted)) do
  if #found < limit and not skip[id] then
    found[#found + 1] = packed(id, fields_of(P .. 's:' .. id))
  end
end
return found
