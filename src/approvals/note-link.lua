#!lua flags=
--[[
  Note a link that was made, so that it can be voided without anybody opening it.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   link
  ARGV[3]   "request|agent" it is for                ARGV[4]   when it is over, ms
  ARGV[5]   audit row

  Returns {"NOTED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
audit(slot.audit, ARGV[5])
redis.call('HSET', slot.links, 'open:' .. ARGV[2], ARGV[3])
redis.call('ZADD', slot.linkExpiry, ARGV[4], 'open:' .. ARGV[2])
return { 'NOTED' }
