-- Witnessed time: the store's clock as far as somebody was there to see it, by which a silent process is gone. It never goes
-- back. Whoever is there beats more often than a step lasts: so a longer gap, found by a process that had beaten before it,
-- is a clock that jumped, or the sleep of everybody, and counts as little. For a process that has only come it is the time in
-- which nobody was there, and counts whole.
local stepMs, jumpMs = 15000, 5000
local function witnessedMs(clock, heartbeats, process)
  local last = redis.call('HMGET', clock, 'time', 'clock')
  if not last[1] then return nowMs end
  local step = math.max(nowMs - tonumber(last[2]), 0)
  if step > stepMs and redis.call('ZSCORE', heartbeats, process) then step = jumpMs end
  return tonumber(last[1]) + step
end
