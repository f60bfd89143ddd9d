-- Read executions whose lease ran out, by its end, then by id.
-- ARGV     now, limit, lease and id of the last row of the page before (or -inf, ''),
--          ids to skip
-- returns  rows, each in one piece, see `packed`
local now, limit, lease, last = arg(), tonumber(arg()), arg(), arg()
local skip = set(args())
local found, from, page = {}, 0, nil
repeat
  page = call(
    'ZRANGEBYSCORE', P .. 'leases', lease, now, 'WITHSCORES', 'LIMIT', from, limit + 100
  )
  for at = 1, #page, 2 do
    local id = page[at]
    local after = tonumber(page[at + 1]) ~= tonumber(lease) or precedes(last, id)
    if #found < limit and after and not skip[id] then found[#found + 1] = read(id) end
  end
  from = from + #page / 2
until #page < 2 * (limit + 100) or #found == limit
return found
