#!lua flags=allow-oom
--[[
  Note whose message or decision a run waits for while it holds something, so that whoever waits for that is warned.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   agent it waits for, or empty when it waits no more

  Returns {"NOTED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
local run, agent = ARGV[3], ARGV[4]
if agent == '' then redis.call('HDEL', slot.awaiting, run)
elseif redis.call('HEXISTS', slot.runs, run) == 1 then redis.call('HSET', slot.awaiting, run, agent) end
return { 'NOTED' }
