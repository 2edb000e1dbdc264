#!lua flags=
--[[
  Add the calls that one process has counted of an agent to those of all processes in the running minute.

  KEYS[1]   rate (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   calls not added before

  Returns {"ADDED", the minute, calls in it} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local rate, more = KEYS[1], tonumber(ARGV[2])
local minute = whole(math.floor(nowMs / 60000))
local counted = redis.call('HMGET', rate, 'calls-minute', 'calls')
local calls = counted[1] == minute and tonumber(counted[2]) or 0
-- What may have been added already is not added twice: a call too few is no harm, a refused agent is.
if not again() then calls = calls + more end
redis.call('HSET', rate, 'calls-minute', minute, 'calls', whole(calls))
return { 'ADDED', minute, whole(calls) }
