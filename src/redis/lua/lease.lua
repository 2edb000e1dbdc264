-- Under a lock: nothing is stored once its lease is over, nor with a lower token than this slot has seen for its resource or
-- for one that can mean the same. Those who share a resource each have a token: none of them is late by another's, but by
-- one that excludes. A lease is "ends ms|1 when shared, or 0|token|resource".
local function readLease(text)
  if not text then return nil end
  local ends, shared, token, resource = string.match(text, '^(%d+)|([01])|(%d+)|(.*)$')
  return { endsMs = tonumber(ends), shared = shared == '1', token = tonumber(token), resource = resource }
end
-- Kept among the operations, as long as the longest lease can last: of each resource the highest token that excludes, and of
-- all; and the names of those last seen, newest first, a line each, with which others are compared by what they mean.
local rememberedMs, comparedMost, lastSeen = 86400000, 64, 'f'
local function fieldOf(resource) return 'f|' .. resource end
local function tokensSeen(operationsKey, resource)
  local excluding, any = string.match(redis.call('HGET', operationsKey, fieldOf(resource)) or '0|0', '^(%d+)|(%d+)$')
  return tonumber(excluding), tonumber(any)
end
local function isOutdated(operationsKey, lease, resource)
  local excluding, any = tokensSeen(operationsKey, resource)
  return lease.token < (lease.shared and excluding or any)
end
local function isOver(operationsKey, lease)
  if nowMs >= lease.endsMs then return true end
  if isOutdated(operationsKey, lease, lease.resource) then return true end
  for other in string.gmatch(redis.call('HGET', operationsKey, lastSeen) or '', '[^\n]+') do
    local isNear = other ~= lease.resource and overlaps(lease.resource, other)
    if isNear and isOutdated(operationsKey, lease, other) then return true end
  end
  return false
end
local function noteToken(operationsKey, expiryKey, lease)
  local excluding, any = tokensSeen(operationsKey, lease.resource)
  if not lease.shared then excluding = lease.token end
  local names, count = lease.resource, 1
  for other in string.gmatch(redis.call('HGET', operationsKey, lastSeen) or '', '[^\n]+') do
    if other ~= lease.resource and count < comparedMost then names, count = names .. '\n' .. other, count + 1 end
  end
  local field, expiresAt = fieldOf(lease.resource), whole(nowMs + rememberedMs)
  redis.call('HSET', operationsKey, field, whole(excluding) .. '|' .. whole(math.max(any, lease.token)), lastSeen, names)
  redis.call('ZADD', expiryKey, expiresAt, field, expiresAt, lastSeen)
end
