#!lua flags=allow-oom
--[[
  The heartbeat of a process that holds or waits: lock time goes on, what is due is done, and it learns what it may
  have missed. Without a process, only lock time goes on. Where nobody holds or waits nothing is done.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   process, or empty for none                ARGV[4]   how long a silent process is remembered, ms

  Returns {"BEATEN", due in ms or -1, 1 when the store does not know the process, {id offered to this process, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local process, keepMs = ARGV[3], tonumber(ARGV[4])
local isUnknown = redis.call('ZSCORE', slot.processes, process) and '0' or '1'
if redis.call('ZCARD', slot.due) == 0 then return { 'BEATEN', '-1', isUnknown, {} } end
moveTime()
if process ~= '' then
  redis.call('ZADD', slot.processes, whole(lockMs), process)
end
redis.call('ZREMRANGEBYSCORE', slot.processes, '-inf', whole(lockMs - keepMs))
expireDue(200)
handOn()
tell(false)
local offers, mine = redis.call('HGETALL', slot.offers), {}
for n = 1, #offers, 2 do if offers[n + 1] == process then mine[#mine + 1] = offers[n] end end
return { 'BEATEN', nextDueMs(), isUnknown, mine }
