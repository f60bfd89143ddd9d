-- Insert executions whose ids and unique keys are free.
-- ARGV     executions, see insert.lua
-- returns  for each 1, or 0 where the id or the unique key was taken
local added = {}
while position < #ARGV do
  local row = peek()
  if row.free then insert(row) end
  added[#added + 1] = row.free and 1 or 0
end
flush()
return added
