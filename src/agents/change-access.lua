#!lua flags=
--[[
  Change the rules and tokens of a namespace: all of the changes or none, with a new version that every process notices.

  KEYS[1]   access (hash)                            KEYS[2]   tokens (hash)
  KEYS[3]   channel of the directory                 KEYS[4]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   audit row, or empty
  ARGV[3…]  rule or token, field, what it was (* for anything), what it shall be (empty removes it), in turn

  Returns {"CHANGED", version} · {"MOVED"} when a field is not what it was · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local access, tokens, channel, auditRows, row = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2]
local function keyOf(kind) return kind == 'token' and tokens or access end
local first = 3
for n = first, #ARGV, 4 do
  local now = redis.call('HGET', keyOf(ARGV[n]), ARGV[n + 1]) or ''
  -- What already is as it shall be was done by an attempt whose answer was lost.
  if ARGV[n + 2] ~= '*' and now ~= ARGV[n + 2] and now ~= ARGV[n + 3] then return { 'MOVED' } end
end
audit(auditRows, row)
for n = first, #ARGV, 4 do
  local key, field, value = keyOf(ARGV[n]), ARGV[n + 1], ARGV[n + 3]
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end
-- The clock goes into the version: after a lost tail it must not come again for other rules.
local last = tonumber(redis.call('HGET', access, 'version') or '0')
local version = whole(math.max(last + 1, nowUs))
redis.call('HSET', access, 'version', version)
redis.call('PUBLISH', channel, 'access')
return { 'CHANGED', version }
