#!lua flags=allow-oom
--[[
  The heartbeat of a process: it lives, these agents of it were active, and one process sweeps for all.

  KEYS[1]   heartbeats (sorted set)                  KEYS[2]   agents (hash)
  KEYS[3]   sweeper (string)                         KEYS[4]   witnessed time (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   process
  ARGV[3]   how long it sweeps for all, ms           ARGV[4]   how long without a heartbeat is gone, ms
  ARGV[5…]  agents active since the last heartbeat

  Returns {"BEATEN", 1 if this process sweeps, {process that is gone, …}, 1 if it had been given up or never been there} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/witnessed.lua
--@include lua/heartbeat.lua
if late() then return { 'LATE' } end
local heartbeats, agents, sweeper, clock = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local process, sweepMs, goneMs = ARGV[2], ARGV[3], tonumber(ARGV[4])
local timeMs, isNew = heartbeat(clock, heartbeats, process)
for n = 5, #ARGV do
  local first, rest = string.match(redis.call('HGET', agents, ARGV[n]) or '', '^([^|]*)|[^|]*(|.*)$')
  if first then redis.call('HSET', agents, ARGV[n], first .. '|' .. whole(nowMs) .. rest) end
end
local holder = redis.call('GET', sweeper)
-- Where the clock was set back since, its end would be far away.
local sweeps = not holder or holder == process or redis.call('PTTL', sweeper) > tonumber(sweepMs)
if sweeps then redis.call('SET', sweeper, process, 'PX', sweepMs) end
local gone = sweeps and redis.call('ZRANGEBYSCORE', heartbeats, '-inf', whole(timeMs - goneMs), 'LIMIT', 0, 20) or {}
return { 'BEATEN', sweeps and '1' or '0', gone, isNew }
