#!lua flags=
--[[
  Begin a run of an agent: it is known from now on, and whatever was opened in its name is claimed.

  KEYS[1]   agents (hash)                            KEYS[2]   runs (hash)
  KEYS[3]   unclaimed names (hash)                   KEYS[4]   heartbeats (sorted set)
  KEYS[5]   processes (hash)                         KEYS[6]   channel of the directory
  KEYS[7]   witnessed time (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   run, as agent/id                         ARGV[4]   process
  ARGV[5]   where the process lives, opaque          ARGV[6]   how the agent is described at first, opaque
  ARGV[7]   guest when the run may outlive its client unseen, else empty

  Returns {"BEGUN", 1 if its process had been given up or never been there} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/witnessed.lua
--@include lua/heartbeat.lua
if late() then return { 'LATE' } end
local agents, runs, unclaimed, heartbeats, processes, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local agent, run, process, place, first = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
redis.call('HSET', runs, run, process .. '|' .. whole(nowMs) .. '|' .. ARGV[7])
local _, isNew = heartbeat(KEYS[7], heartbeats, process)
redis.call('HSET', processes, process, place)
local opener = redis.call('HGET', unclaimed, 'name:' .. agent)
if opener then
  redis.call('HDEL', unclaimed, 'name:' .. agent)
  if redis.call('HINCRBY', unclaimed, 'count:' .. opener, -1) <= 0 then redis.call('HDEL', unclaimed, 'count:' .. opener) end
end
local since, described = string.match(redis.call('HGET', agents, agent) or '', '^([^|]*)|[^|]*(|.*)$')
if since then redis.call('HSET', agents, agent, since .. '|' .. whole(nowMs) .. described)
else
  redis.call('HSET', agents, agent, whole(nowMs) .. '|' .. whole(nowMs) .. '|' .. first)
  redis.call('PUBLISH', channel, 'agents')
end
return { 'BEGUN', isNew }
