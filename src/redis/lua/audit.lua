-- The audit rows of a slot: number|row, where numbers grow and are microseconds of the store's clock. What was sealed is
-- taken out of the list; its last number stays, so that it does not come again.
local function auditNumber(entry) return tonumber(string.match(entry or '', '^(%d+)|') or '0') end
-- Our own repetition of a call finds the row of the first attempt, which is too young to be sealed.
local function isAudited(key, row)
  for from = -1, -redis.call('LLEN', key), -100 do
    for _, entry in ipairs(redis.call('LRANGE', key, from - 99, from)) do
      if string.match(entry, '^%d+|(.*)$') == row then return true end
    end
  end
  return false
end
-- Records rows, one a line; none where there is nothing to record. Comes before the effect: if it fails, there is none.
local function audit(key, rows)
  if rows == '' then return end
  local number = auditNumber(redis.call('LINDEX', key, -1))
  for row in string.gmatch(rows, '[^\n]+') do
    if not (again() and isAudited(key, row)) then
      number = math.max(number + 1, nowUs)
      redis.call('RPUSH', key, whole(number) .. '|' .. row)
    end
  end
end
