#!lua flags=
--[[
  Set one field of a hash of the directory: a queue and its settings, or a setting of the namespace.

  KEYS[1]   queues or settings (hash)                KEYS[2]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   field
  ARGV[3]   value                                    ARGV[4]   audit row, or empty

  Returns {"SET"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local hash, auditRows, field, value, row = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4]
audit(auditRows, row)
redis.call('HSET', hash, field, value)
return { 'SET' }
