-- Read executions or schedules by id.
-- ARGV     x: or s:, then the ids
-- returns  those that exist, each in one piece; without fields if it is no hash
local found, kind = {}, arg()
for at = 2, #ARGV do
  local id = ARGV[at]
  if call('EXISTS', P .. kind .. id) == 1 then
    if kind == 'x:' then
      found[#found + 1] = read(id)
    else
      found[#found + 1] = packed(id, fields_of(P .. kind .. id))
    end
  end
end
return found
