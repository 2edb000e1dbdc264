#!lua flags=allow-oom
--[[
  A process ends in good order: it will not beat any more, and nothing is to be concluded from its silence.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   process

  Returns {"LEFT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
-- While it still counts as there: a gap before this is its own sleep, or a clock that jumped.
if redis.call('ZCARD', slot.due) > 0 then moveTime() end
redis.call('ZREM', slot.processes, ARGV[3])
return { 'LEFT' }
