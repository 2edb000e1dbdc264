#!lua flags=
--[[
  Have a mailbox refuse a sender, or accept it again.

  KEYS[1]   blocked (set)                            KEYS[2]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   block or unblock
  ARGV[3]   sender                                   ARGV[4]   audit row

  Returns {"CHANGED", 1 if it was otherwise before} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local blocked, auditRows, action, sender, row = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4]
audit(auditRows, row)
local changed = 0
if action == 'block' then changed = redis.call('SADD', blocked, sender)
else changed = redis.call('SREM', blocked, sender) end
return { 'CHANGED', whole(changed) }
