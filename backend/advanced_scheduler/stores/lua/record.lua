-- Whether a record is there and was written at this time.
local function written_at(kind, id, time)
  local stored = call('HGET', P .. 'records:' .. kind, id)
  return stored and string.sub(stored, 1, #time + 1) == time .. ' '
end
