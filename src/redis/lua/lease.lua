-- Under a lock: nothing is stored once its lease is over, nor with a lower token than this slot has seen for its resource.
-- Those who share a resource each have a token: none of them is late by another's, but by one that excludes.
-- A lease is "ends ms|1 when shared, or 0|token|resource".
local function readLease(text)
  if not text then return nil end
  local ends, shared, token, resource = string.match(text, '^(%d+)|([01])|(%d+)|(.*)$')
  return { endsMs = tonumber(ends), shared = shared == '1', token = tonumber(token), field = 'f|' .. resource }
end
-- Kept among the operations, as long as the longest lease can last: the highest token that excludes, and of all.
local rememberedMs = 86400000
local function tokensSeen(operationsKey, lease)
  local excluding, any = string.match(redis.call('HGET', operationsKey, lease.field) or '0|0', '^(%d+)|(%d+)$')
  return tonumber(excluding), tonumber(any)
end
local function isOver(operationsKey, lease)
  if nowMs >= lease.endsMs then return true end
  local excluding, any = tokensSeen(operationsKey, lease)
  return lease.token < (lease.shared and excluding or any)
end
local function noteToken(operationsKey, expiryKey, lease)
  local excluding, any = tokensSeen(operationsKey, lease)
  if not lease.shared then excluding = lease.token end
  redis.call('HSET', operationsKey, lease.field, whole(excluding) .. '|' .. whole(math.max(any, lease.token)))
  redis.call('ZADD', expiryKey, whole(nowMs + rememberedMs), lease.field)
end
