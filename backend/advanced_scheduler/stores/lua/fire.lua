-- Advance schedules, write their ticks and add their executions: each firing whole or not at all.
-- ARGV     how many firings, and for each
--            id, version, expected next and last fire time, new next fire time (each '' for none),
--            1 if it is by hand, else 0,
--            how many ticks, for each: schedule id, instant, fields and values (also the outcome),
--            how many executions, see insert.lua (lists: their length first)
-- returns  for each 1, or 0 where it was refused
local function is_as_seen(id, version, expected, last)
  local known = redis.pcall(
    'HMGET', P .. 's:' .. id, 'version', 'next_fire_time', 'last_fire_time', 'run_count', 'paused'
  )
  local same = not known.err and known[1] == version
    and (known[2] or '') == expected and (known[3] or '') == last
    and string.find(known[4] or '0', '^%d+$') and #(known[4] or '') < 18
  return same, known[5] ~= '0'
end

-- Whether one time precedes the other; Lua's numbers are only sure of the first 15 digits.
local function is_before(one, other)
  local x, y = tonumber(one), tonumber(other)
  if x ~= y then return x < y end
  if x < 0 then one, other = other, one end
  if #one ~= #other then return #one < #other end
  return precedes(one, other)
end

local function record(tick)
  call('HSET', P .. 'tick:' .. tick.instant .. ':' .. tick.schedule, unpack(tick.fields))
  for at = 1, #tick.fields, 2 do
    if tick.fields[at] == 'outcome' then
      local key = P .. 'outcome:' .. tick.fields[at + 1]
      call('ZADD', key, tick.instant, tick.instant .. ':' .. tick.schedule)
    end
  end
  call('ZADD', P .. 'ticks:' .. tick.schedule, tick.instant, tick.instant)
  call('ZADD', P .. 'ledgers', 'LT', tick.instant, tick.schedule)
end

local function fire()
  local id, version, expected, last, next_fire, by_hand =
    arg(), arg(), arg(), arg(), arg(), arg() == '1'
  local fits, paused = is_as_seen(id, version, expected, last)
  local ticks, rows = {}, {}
  for at = 1, tonumber(arg()) do
    local tick = { schedule = arg(), instant = arg(), fields = args() }
    ticks[at] = tick
    fits = fits and call('EXISTS', P .. 'tick:' .. tick.instant .. ':' .. tick.schedule) == 0
    if last == '' or is_before(last, tick.instant) then last = tick.instant end
  end
  local met = {}
  for at = 1, tonumber(arg()) do
    local row = peek()
    rows[at] = row
    fits = fits and row.free and not met['id ' .. row.id] and not met['key ' .. row.unique_key]
    met['id ' .. row.id], met['key ' .. row.unique_key] = true, row.unique_key ~= ''
  end
  if not fits or paused and #rows > 0 and not by_hand then return 0 end
  local hash = P .. 's:' .. id
  if next_fire == '' then
    call('HDEL', hash, 'next_fire_time')
  else
    call('HSET', hash, 'next_fire_time', next_fire)
  end
  if last ~= '' then call('HSET', hash, 'last_fire_time', last) end
  if #rows > 0 and not by_hand then call('HINCRBY', hash, 'run_count', #rows) end
  mark('due', id, not paused and next_fire ~= '' and next_fire)
  for _, tick in ipairs(ticks) do record(tick) end
  for _, row in ipairs(rows) do insert(row) end
  return 1
end

local fired = {}
for at = 1, tonumber(arg()) do fired[at] = fire() end
flush()
return fired
