#!lua flags=
--[[
  Change how an agent is described to others.

  KEYS[1]   agents (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   description, opaque

  Returns {"DESCRIBED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local agents, agent, description = KEYS[1], ARGV[2], ARGV[3]
local first = string.match(redis.call('HGET', agents, agent) or '', '^([^|]*)|') or whole(nowMs)
redis.call('HSET', agents, agent, first .. '|' .. whole(nowMs) .. '|' .. description)
return { 'DESCRIBED' }
