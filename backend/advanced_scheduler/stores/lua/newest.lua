-- Read the execution with the highest id of each task.
-- ARGV     task ids, execution ids to skip (lists: their length first)
-- returns  rows, each in one piece, see `packed`
local tasks, skip = args(), args()
local last = #skip
skip = set(skip)
local found = {}
for _, task in ipairs(tasks) do
  for _, id in ipairs(call('ZREVRANGE', P .. 'task:' .. task, 0, last)) do
    if not skip[id] then
      found[#found + 1] = read(id)
      break
    end
  end
end
return found
