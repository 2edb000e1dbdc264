#!lua flags=allow-oom
--[[
  Make an attachment ready to be sent, if it is still what was read back and hashed.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   owner
  ARGV[3]   how many parts it has                    ARGV[4]   how many bytes
  ARGV[5]   SHA-256 of what was read back, as hex    ARGV[6]   revision that was read

  Returns {"READY"} · {"INCOMPLETE", parts, bytes} · {"CHANGED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local owner, parts, bytes, sha256, revision = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
if redis.call('HGET', attachment.meta, 'owner') ~= owner then return { 'UNKNOWN' } end
if redis.call('HGET', attachment.meta, 'revision') ~= revision then return { 'CHANGED' } end
local hasParts, hasBytes = redis.call('HLEN', attachment.parts), tonumber(redis.call('HGET', attachment.meta, 'bytes'))
if hasParts ~= parts or hasBytes ~= bytes then return { 'INCOMPLETE', whole(hasParts), whole(hasBytes) } end
for number = 0, parts - 1 do
  if redis.call('HEXISTS', attachment.parts, whole(number)) == 0 then
    return { 'INCOMPLETE', whole(hasParts), whole(hasBytes) }
  end
end
redis.call('HSET', attachment.meta, 'state', 'ready', 'sha256', sha256)
return { 'READY' }
