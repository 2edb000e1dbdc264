#!lua flags=allow-oom
--[[
  Do what time alone has made due in a mailbox that perhaps nobody reads: expire, give back, trim.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua

  Returns {"KEPT", outbox entries} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
--@include lua/upkeep.lua
if late() then return { 'LATE' } end
upkeep(200)
return { 'KEPT', whole(redis.call('HLEN', box.outbox)) }
