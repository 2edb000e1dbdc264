#!lua flags=
--[[
  Change the rules of a namespace: all of the changes or none, with a new version that every process notices.

  KEYS[1]   access (hash)                            KEYS[2]   channel of the directory
  KEYS[3]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   audit row, or empty
  ARGV[3…]  field and value, in turn; an empty value removes the field

  Returns {"CHANGED", version} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local access, channel, auditRows, row = KEYS[1], KEYS[2], KEYS[3], ARGV[2]
audit(auditRows, row)
for n = 3, #ARGV, 2 do
  local field, value = ARGV[n], ARGV[n + 1]
  if value == '' then redis.call('HDEL', access, field) else redis.call('HSET', access, field, value) end
end
-- The clock goes into the version: after a lost tail it must not come again for other rules.
local last = tonumber(redis.call('HGET', access, 'version') or '0')
local version = whole(math.max(last + 1, nowUs))
redis.call('HSET', access, 'version', version)
redis.call('PUBLISH', channel, 'access')
return { 'CHANGED', version }
