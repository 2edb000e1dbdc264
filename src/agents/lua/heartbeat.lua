-- A process beats: witnessed time goes on, and whether it had been given up, or never been there, is answered; also
-- where an earlier attempt of the same call may have been told so in vain, since only the first beat after that is.
local function heartbeat(clock, heartbeats, process)
  local timeMs = witnessedMs(clock, heartbeats, process)
  local last = tonumber(redis.call('ZSCORE', heartbeats, process) or '0')
  redis.call('HSET', clock, 'time', whole(timeMs), 'clock', whole(nowMs))
  redis.call('ZADD', heartbeats, whole(timeMs), process)
  return timeMs, (last == 0 or again()) and '1' or '0'
end
