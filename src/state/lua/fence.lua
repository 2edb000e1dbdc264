-- Fencing: a write under a lease comes before its end, and with no lower token than the slot has seen for the resource.
-- The highest token seen, when it is higher than this one: then the write is refused.
local function staleBefore(resource, token)
  if resource == '' then return nil end
  local seen = redis.call('HGET', group.tokens, resource)
  if seen and tonumber(seen) > tonumber(token) then return seen end
end
local function fenceCost(resource)
  if resource == '' or redis.call('HEXISTS', group.tokens, resource) == 1 then return 0 end
  return rowCost + 2 * #resource
end
local function noteToken(resource, token)
  if resource == '' then return end
  redis.call('HINCRBY', group.meta, 'bytes', whole(fenceCost(resource)))
  redis.call('HSET', group.tokens, resource, token)
  redis.call('ZADD', group.fences, whole(nowMs), resource)
end
