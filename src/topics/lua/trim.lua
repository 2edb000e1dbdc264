-- Takes the oldest messages out of a topic's history, at most `most` of them, as far as retention says so. What is open
-- at an agent stays readable for it; who had not read it finds the gap in the trims.
local trimsMost = 10000
local function trim(topic, record, index, trims, keep, most)
  local oldest = redis.call('ZRANGE', index, 0, most - 1, 'WITHSCORES')
  local count = redis.call('ZCARD', index)
  local logged = redis.call('HLEN', root.subscriptions) > 0
  local gone = 0
  for n = 1, #oldest, 2 do
    local id, sequence = oldest[n], oldest[n + 1]
    local bytes, published = string.match(redis.call('HGET', root.facts, id) or '',
      '^[^|]*|[^|]*|[^|]*|[^|]*|([^|]*)|[^|]*|([^|]*)|')
    local tooMuch = count > 1 and (count > keep.count or record.bytes > keep.bytes)
    if not tooMuch and tonumber(published or '0') > nowMs - keep.ageMs then break end
    redis.call('ZREM', index, id)
    if logged then redis.call('ZADD', trims, sequence, sequence .. ':' .. whole(sequenceNow())) end
    if redis.call('HEXISTS', root.holds, id) == 1 then redis.call('SADD', root.orphans, id)
    else redis.call('HDEL', root.messages, id) redis.call('HDEL', root.facts, id) end
    record.bytes = math.max(0, record.bytes - tonumber(bytes or '0'))
    record.trimmedTo = tonumber(sequence)
    count, gone = count - 1, gone + 1
  end
  if gone > 0 then
    if not logged then redis.call('DEL', trims) end
    local over = redis.call('ZCARD', trims) - trimsMost
    if over > 0 then redis.call('ZREMRANGEBYRANK', trims, 0, over - 1) end
  end
  return gone
end
local function retention(topic, ageMs, count, bytes)
  return {
    ageMs = tonumber(setting(topic, 'retention_ms') or ageMs),
    count = tonumber(setting(topic, 'retention_count') or count),
    bytes = tonumber(setting(topic, 'retention_bytes') or bytes),
  }
end
