#!lua flags=
--[[
  Note again the runs of a process that was given up and lives.

  KEYS[1]   runs (hash)                              KEYS[2]   heartbeats (sorted set)
  KEYS[3]   processes (hash)                         KEYS[4]   witnessed time (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   process
  ARGV[3]   where the process lives, opaque          ARGV[4…]  runs, as agent/id, each before guest or an empty word

  Returns {"RETURNED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/witnessed.lua
--@include lua/heartbeat.lua
if late() then return { 'LATE' } end
local runs, heartbeats, processes, clock, process = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2]
heartbeat(clock, heartbeats, process)
redis.call('HSET', processes, process, ARGV[3])
for n = 4, #ARGV, 2 do redis.call('HSETNX', runs, ARGV[n], process .. '|' .. whole(nowMs) .. '|' .. ARGV[n + 1]) end
return { 'RETURNED' }
