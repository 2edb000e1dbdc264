#!lua flags=
--[[
  Look at one version of the rules, or at the one in force.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   version, or empty for the one in force
  ARGV[3]   audit row

  Returns {"RULES", version, at ms, who put it there and why, the rule set} ·
          {"NONE", version that was asked for} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
local asked, row = ARGV[2], ARGV[3]
audit(slot.audit, row)
local version = asked ~= '' and asked or redis.call('HGET', slot.rules, 'current') or '0'
local found = redis.call('HMGET', slot.rules, 'about:' .. version, 'text:' .. version)
if not found[1] or not found[2] then return { 'NONE', version } end
local at, who = string.match(found[1], '^(%d+)|(.*)$')
return { 'RULES', version, at, who, found[2] }
