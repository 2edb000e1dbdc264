#!lua flags=allow-oom
--[[
  Give a process up, and forget a run of it, or all that is known of it, unless it has beaten since it was looked at. One
  that beats after that is told that it was given up.

  KEYS[1]   runs (hash)                              KEYS[2]   heartbeats (sorted set)
  KEYS[3]   processes (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   process
  ARGV[3]   its last heartbeat when it was looked at ARGV[4]   run to forget, as agent/id, or empty
  ARGV[5]   1 when the process is to be forgotten

  Returns {"BURIED"} · {"ALIVE"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local runs, heartbeats, processes, process, run = KEYS[1], KEYS[2], KEYS[3], ARGV[2], ARGV[4]
local last = tonumber(redis.call('ZSCORE', heartbeats, process) or '0')
if last ~= 0 and last ~= tonumber(ARGV[3]) then return { 'ALIVE' } end
if run ~= '' then redis.call('HDEL', runs, run) end
if ARGV[5] == '1' then
  redis.call('ZREM', heartbeats, process)
  redis.call('HDEL', processes, process)
-- Whoever sweeps finds it by that until all of it is done.
elseif last ~= 0 then redis.call('ZADD', heartbeats, '0', process) end
return { 'BURIED' }
