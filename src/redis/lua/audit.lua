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
-- Answers how many it wrote.
local function audit(key, rows)
  if rows == '' then return 0 end
  local number, written = auditNumber(redis.call('LINDEX', key, -1)), 0
  for row in string.gmatch(rows, '[^\n]+') do
    if not (again() and isAudited(key, row)) then
      number = math.max(number + 1, nowUs)
      redis.call('RPUSH', key, whole(number) .. '|' .. row)
      written = written + 1
    end
  end
  return written
end
-- Takes back what audit wrote last in this very run, which nobody has seen: what was let pass is refused for another reason,
-- and its refusal has a row of its own.
local function unaudit(key, written)
  for _ = 1, written do redis.call('RPOP', key) end
end
