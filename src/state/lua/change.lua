-- Changes of entries: what they cost of the group's room is known before anything is written.
-- ARGV[2]: earlier versions kept of a key, bytes of their values, and how long a key that is gone is remembered, ms.
local mostRows, mostRowBytes, goneMs = string.match(ARGV[2], '^(%d+),(%d+),(%d+)$')
mostRows, mostRowBytes, goneMs = tonumber(mostRows), tonumber(mostRowBytes), tonumber(goneMs)
-- A live entry pays for the row that its end will need, so that an end never needs room.
local rowCost, entryCost = 128, 256
local function costOf(key, entry, rows)
  local cost = entryCost + 2 * #key + entry.bytes + (entry.state == 'live' and rowCost or 0)
  for _, row in ipairs(rows) do cost = cost + rowCost + row.bytes end
  return cost
end
-- The entry as it would be, and what becomes of the versions before it: newest last, the oldest forgotten first.
local function plan(key, old, state, expires, agent, verified, bytes)
  local rows, total, dropped = {}, 0, {}
  for text in string.gmatch(redis.call('HGET', group.history, key) or '', '[^,]+') do rows[#rows + 1] = readEntry(text) end
  if old then rows[#rows + 1] = old end
  for _, row in ipairs(rows) do total = total + row.bytes end
  while #rows > 0 and (#rows > mostRows or total > mostRowBytes) do
    local oldest = table.remove(rows, 1)
    total = total - oldest.bytes
    dropped[#dropped + 1] = oldest.version
  end
  local entry = {
    state = state, at = nowMs, expires = expires, agent = agent, verified = verified, bytes = bytes,
    forgotten = (old and old.forgotten or 0) + #dropped,
  }
  entry.cost = costOf(key, entry, rows)
  return { entry = entry, rows = rows, dropped = dropped, more = entry.cost - (old and old.cost or 0) }
end
local function commit(key, old, planned, value)
  local entry = planned.entry
  entry.version = whole(nextSequence(group.meta))
  redis.call('PERSIST', group.meta)
  if old and old.state == 'live' then
    redis.call('HSET', group.past, old.version, redis.call('HGET', group.values, key))
  end
  for _, version in ipairs(planned.dropped) do redis.call('HDEL', group.past, version) end
  local rows = {}
  for n, row in ipairs(planned.rows) do rows[n] = writeEntry(row) end
  if #rows > 0 then redis.call('HSET', group.history, key, table.concat(rows, ','))
  else redis.call('HDEL', group.history, key) end
  redis.call('HSET', group.entries, key, writeEntry(entry))
  if entry.state == 'live' then
    redis.call('HSET', group.values, key, value)
    redis.call('ZADD', group.order, 0, key)
    redis.call('ZREM', group.gone, key)
    if entry.expires > 0 then redis.call('ZADD', group.expiring, whole(entry.expires), key)
    else redis.call('ZREM', group.expiring, key) end
  else
    redis.call('HDEL', group.values, key)
    redis.call('ZREM', group.order, key)
    redis.call('ZREM', group.expiring, key)
    redis.call('ZADD', group.gone, whole(nowMs + goneMs), key)
  end
  redis.call('HINCRBY', group.meta, 'bytes', whole(planned.more))
  redis.call('PUBLISH', group.channel, key)
  return entry
end
local function expire(key, entry) return commit(key, entry, plan(key, entry, 'expired', 0, '', '0', 0), '') end
-- A key that has been gone for long is forgotten with its history; versions grow all the same, by the clock.
local function forget(key, entry)
  for text in string.gmatch(redis.call('HGET', group.history, key) or '', '[^,]+') do
    redis.call('HDEL', group.past, readEntry(text).version)
  end
  redis.call('HDEL', group.history, key)
  redis.call('HDEL', group.entries, key)
  redis.call('HINCRBY', group.meta, 'bytes', whole(-entry.cost))
end
-- What time alone has made due, a bounded part of it at each call: nothing needs a timer to stay correct.
local function upkeep(most)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', group.expiring, '-inf', whole(nowMs), 'LIMIT', 0, most)) do
    local entry = getEntry(key)
    if entry and hasExpired(entry) then expire(key, entry) else redis.call('ZREM', group.expiring, key) end
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', group.gone, '-inf', whole(nowMs), 'LIMIT', 0, most)) do
    local entry = getEntry(key)
    redis.call('ZREM', group.gone, key)
    if entry and entry.state ~= 'live' then forget(key, entry) end
  end
  for _, resource in ipairs(redis.call('ZRANGEBYSCORE', group.fences, '-inf', whole(nowMs - goneMs), 'LIMIT', 0, most)) do
    redis.call('ZREM', group.fences, resource)
    redis.call('HDEL', group.tokens, resource)
    redis.call('HINCRBY', group.meta, 'bytes', whole(-(rowCost + 2 * #resource)))
  end
end
