-- A process beats: witnessed time goes on, and whether it had been given up, or never been there, is answered.
local function heartbeat(clock, heartbeats, process)
  local timeMs = witnessedMs(clock, heartbeats, process)
  local last = tonumber(redis.call('ZSCORE', heartbeats, process) or '0')
  redis.call('HSET', clock, 'time', whole(timeMs), 'clock', whole(nowMs))
  redis.call('ZADD', heartbeats, whole(timeMs), process)
  return timeMs, last == 0 and '1' or '0'
end
