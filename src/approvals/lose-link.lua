#!lua flags=allow-oom
--[[
  Void links for good, since those they were made for have lost the right to decide.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   when they are forgotten, ms
  ARGV[3…]  links

  Returns {"LOST"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
for n = 3, #ARGV do
  local link = ARGV[n]
  -- What was decided by it stands.
  redis.call('HSETNX', slot.links, link, 'lost')
  redis.call('HDEL', slot.links, 'open:' .. link)
  redis.call('ZADD', slot.linkExpiry, ARGV[2], link)
end
return { 'LOST' }
