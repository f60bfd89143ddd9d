-- Put before `prune` and `totals`: how long an execution ran.

-- The seconds of a time and the microseconds beyond: as one number it would lose digits.
local function halves(time)
  local sign, digits = string.match(time or '', '^(%-?)(%d+)$')
  if not digits then return nil end
  local factor = sign == '-' and -1 or 1
  return factor * (tonumber(string.sub(digits, 1, -7)) or 0), factor * string.sub(digits, -6)
end

-- Microseconds from one time to another; 0 if one of them is missing or damaged.
local function duration(started, ended)
  local from, more = halves(started)
  local to, rest = halves(ended)
  return from and to and (to - from) * 1000000 + rest - more or 0
end
