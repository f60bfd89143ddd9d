-- Look for the earliest due time of what may be claimed then.
-- returns  microseconds as text, or nil
local least, text
for priority = 0, 4 do
  for _, group in ipairs(lanes(tostring(priority), nil, {})) do
    for _, key in ipairs(group.keys) do
      local found = call('ZRANGE', key, 0, 0, 'WITHSCORES')
      if found[2] and (not least or tonumber(found[2]) < least) then
        least, text = tonumber(found[2]), found[2]
      end
    end
  end
end
return text
