#!lua flags=
--[[
  Change the rules and tokens of a namespace: all of the changes or none, with a new version that every process notices.

  KEYS[1]   access (hash)                            KEYS[2]   tokens (hash)
  KEYS[3]   channel of the directory                 KEYS[4]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   most grants there may be afterwards
  ARGV[3]   audit row, or empty
  ARGV[4…]  rule or token, field, what it was (* for anything), what it shall be (empty removes it), in turn

  Returns {"CHANGED", version} · {"MOVED"} when a field is not what it was · {"FULL"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local access, tokens, channel, auditRows, most, row = KEYS[1], KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[2]), ARGV[3]
local function keyOf(kind) return kind == 'token' and tokens or access end
local function isGrant(field) return string.sub(field, 1, 6) == 'grant:' end
local more = 0
local first = 4
for n = first, #ARGV, 4 do
  local field, was, shall = ARGV[n + 1], ARGV[n + 2], ARGV[n + 3]
  local now = redis.call('HGET', keyOf(ARGV[n]), field) or ''
  -- What already is as it shall be was done by an attempt whose answer was lost.
  if was ~= '*' and now ~= was and now ~= shall then return { 'MOVED' } end
  if ARGV[n] == 'rule' and isGrant(field) then
    if shall ~= '' and now == '' then more = more + 1 end
    if shall == '' and now ~= '' then more = more - 1 end
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
