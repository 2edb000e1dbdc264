#!lua flags=no-writes,allow-oom
--[[
  Count what a mailbox holds, without changing anything.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua

  Returns {"MAILBOX", ready, urgent of them, open, delayed, dead letters, bytes unsettled, dead letters trimmed so far,
  {run, how many are open at it, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
if late() then return { 'LATE' } end
local ready = 0
for priority = 0, 3 do ready = ready + redis.call('ZCARD', box.ready[priority]) end
return {
  'MAILBOX', whole(ready), whole(redis.call('ZCARD', box.ready[3])), whole(redis.call('ZCARD', box.open)),
  whole(redis.call('ZCARD', box.delayed)), whole(redis.call('ZCARD', box.dead)),
  redis.call('HGET', box.meta, 'bytes') or '0', redis.call('HGET', box.meta, 'dead-trimmed') or '0',
  redis.call('HGETALL', box.runs),
}
