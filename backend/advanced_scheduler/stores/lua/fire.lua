-- Advance schedules, write their ticks and add their executions: each firing whole or not at all.
-- ARGV     how many firings, and for each
--            id, version, expected and new next fire time ('' for none), last fire time or '',
--            how many ticks, for each: schedule id, instant, fields and values,
--            how many executions, see insert.lua (lists: their length first)
-- returns  for each 1, or 0 where it was refused
local function is_as_seen(id, version, expected)
  local known = redis.pcall('HMGET', P .. 's:' .. id, 'version', 'next_fire_time', 'paused')
  local same = not known.err and known[1] == version and known[2] == expected
  return same, known[3] ~= '0'
end

local function record(tick)
  call('HSET', P .. 'tick:' .. tick.instant .. ':' .. tick.schedule, unpack(tick.fields))
  call('ZADD', P .. 'ticks:' .. tick.schedule, tick.instant, tick.instant)
  call('ZADD', P .. 'ledgers', 'LT', tick.instant, tick.schedule)
end

local function fire()
  local id, version, expected, next_fire, last_fire = arg(), arg(), arg(), arg(), arg()
  local fits, paused = is_as_seen(id, version, expected)
  local ticks, rows = {}, {}
  for at = 1, tonumber(arg()) do
    local tick = { schedule = arg(), instant = arg(), fields = args() }
    ticks[at] = tick
    fits = fits and call('EXISTS', P .. 'tick:' .. tick.instant .. ':' .. tick.schedule) == 0
  end
  local met = {}
  for at = 1, tonumber(arg()) do
    local row = peek()
    rows[at] = row
    fits = fits and row.free and not met['id ' .. row.id] and not met['key ' .. row.unique_key]
    met['id ' .. row.id], met['key ' .. row.unique_key] = true, row.unique_key ~= ''
  end
  if not fits or paused and #rows > 0 then return 0 end
  local hash = P .. 's:' .. id
  if next_fire == '' then
    call('HDEL', hash, 'next_fire_time')
  else
    call('HSET', hash, 'next_fire_time', next_fire)
  end
  if last_fire ~= '' then call('HSET', hash, 'last_fire_time', last_fire) end
  mark('due', id, not paused and next_fire ~= '' and next_fire)
  for _, tick in ipairs(ticks) do record(tick) end
  for _, row in ipairs(rows) do insert(row) end
  return 1
end

local fired = {}
for at = 1, tonumber(arg()) do fired[at] = fire() end
flush()
return fired
