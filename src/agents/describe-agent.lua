#!lua flags=
--[[
  Change how an agent is described to others.

  KEYS[1]   agents (hash)                            KEYS[2]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   description, opaque                      ARGV[4]   audit row, or empty

  Returns {"DESCRIBED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local agents, auditRows, agent, description, row = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4]
audit(auditRows, row)
local first = string.match(redis.call('HGET', agents, agent) or '', '^([^|]*)|') or whole(nowMs)
redis.call('HSET', agents, agent, first .. '|' .. whole(nowMs) .. '|' .. description)
return { 'DESCRIBED' }
