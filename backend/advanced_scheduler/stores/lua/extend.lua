-- Renew leases that a node still holds.
-- ARGV     node, end of the lease, then id and fence of each
-- returns  the ids that are still held
local node, lease_until, kept = arg(), arg(), {}
while position < #ARGV do
  local id, fence = arg(), arg()
  local row = state(id)
  if row and row.status == RUNNING and row.node == node and row.fence == fence then
    call('HSET', P .. 'x:' .. id, 'lease_until', lease_until)
    mark('leases', id, lease_until)
    kept[#kept + 1] = id
  end
end
flush()
return kept
