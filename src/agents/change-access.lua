#!lua flags=
--[[
  Change the rules of a namespace: all of the changes or none, with a new version that every process notices.

  KEYS[1]   access (hash)                            KEYS[2]   channel of the directory
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   most grants there may be afterwards
  ARGV[3…]  field and value, in turn; an empty value removes the field

  Returns {"CHANGED", version} · {"FULL"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local access, channel, most = KEYS[1], KEYS[2], tonumber(ARGV[2])
local function isGrant(field) return string.sub(field, 1, 6) == 'grant:' end
local more = 0
for n = 3, #ARGV, 2 do
  if isGrant(ARGV[n]) then
    local isThere = redis.call('HEXISTS', access, ARGV[n]) == 1
    if ARGV[n + 1] ~= '' and not isThere then more = more + 1 end
    if ARGV[n + 1] == '' and isThere then more = more - 1 end
  end
end
-- Other rules are few, so only where the whole comes near the limit the grants are counted one by one.
if more > 0 and redis.call('HLEN', access) + more > most then
  local grants = 0
  for _, field in ipairs(redis.call('HKEYS', access)) do
    if isGrant(field) then grants = grants + 1 end
  end
  if grants + more > most then return { 'FULL' } end
end
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
