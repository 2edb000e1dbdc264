#!lua flags=
--[[
  Get what links are signed with, and make it with the first.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   a new key, in case there is none

  Returns {"KEY", key} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
redis.call('HSETNX', slot.links, 'key', ARGV[2])
return { 'KEY', redis.call('HGET', slot.links, 'key') }
