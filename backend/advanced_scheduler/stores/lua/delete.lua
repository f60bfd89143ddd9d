-- Delete executions that have ended.
-- ARGV     ids (their length first)
-- returns  how many were deleted
local deleted = 0
for _, id in ipairs(args()) do
  if forget(id) then deleted = deleted + 1 end
end
flush()
return deleted
