-- Fencing: a write under a lease comes before its end, and with no lower token than the slot has seen for its resource or for
-- one that can mean the same. So many of those, the last that were written under, are compared by what they mean.
local comparedMost = 256
-- The highest token seen, when it is higher than this one: then the write is refused.
local function staleBefore(resource, token)
  if resource == '' then return nil end
  local near = { resource }
  for _, other in ipairs(redis.call('ZREVRANGE', group.fences, 0, comparedMost - 1)) do
    if other ~= resource and overlaps(resource, other) then near[#near + 1] = other end
  end
  local highest = token
  for _, seen in ipairs(redis.call('HMGET', group.tokens, unpack(near))) do
    if seen and tonumber(seen) > tonumber(highest) then highest = seen end
  end
  if highest ~= token then return highest end
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
