#!lua flags=allow-oom
--[[
  Forget runs that are over, and the processes that have none left.

  KEYS[1]   runs (hash)                              KEYS[2]   heartbeats (sorted set)
  KEYS[3]   processes (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   process to forget, or empty
  ARGV[3…]  runs, as agent/id

  Returns {"ENDED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local runs, heartbeats, processes, process = KEYS[1], KEYS[2], KEYS[3], ARGV[2]
for n = 3, #ARGV do redis.call('HDEL', runs, ARGV[n]) end
if process ~= '' then
  redis.call('ZREM', heartbeats, process)
  redis.call('HDEL', processes, process)
end
return { 'ENDED' }
