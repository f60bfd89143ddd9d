-- Insert schedules, all or none; keep the first version of each.
-- ARGV     for each: id, next fire time ('' if it has none or is paused), fields and values (a list)
-- returns  1, or 0 if an id is taken, or {name, id of the one that has it}
local rows, holders = {}, {}
while position < #ARGV do
  local row = { id = arg(), next_fire = arg(), fields = args() }
  row.new = by_name(row.fields)
  local name = row.new.name
  if call('EXISTS', P .. 's:' .. row.id) == 1 then return 0 end
  local holder = name and (holders[name] or holder_of(row.id, name))
  if holder then return { name, holder } end
  if name then holders[name] = row.id end
  rows[#rows + 1] = row
end
for _, row in ipairs(rows) do
  drop_history(row.id) -- a node of an older version may have left one
  keep_version(row.id, row.new.version, row.fields)
  call('HSET', P .. 's:' .. row.id, unpack(row.fields))
  enlist(row.id, row.new, row.next_fire)
end
flush()
return 1
