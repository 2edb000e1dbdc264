-- What time alone has made due, a bounded part of it at each call: nothing needs a timer to stay correct.
local function due(set, most) return redis.call('ZRANGEBYSCORE', set, '-inf', whole(nowMs), 'LIMIT', 0, most) end
local function upkeep(most)
  for _, id in ipairs(due(box.delayed, most)) do
    local record = getRecord(id)
    if record then toReady(id, record) else redis.call('ZREM', box.delayed, id) end
  end
  for _, id in ipairs(due(box.open, most)) do
    local record = getRecord(id)
    if not record then redis.call('ZREM', box.open, id)
    elseif has(record, 'j') then toFailed(id, record, 'claim_expired', 0)
    elseif has(record, 'l') then
      record.flags = string.gsub(record.flags, 'l', '')
      toReady(id, record)
    elseif has(record, 'a') then
      record.at = nowMs + limits.unconfirmedMs
      redis.call('ZADD', box.open, whole(record.at), id)
      putRecord(id, record)
    else toHistory(id, record, 'unconfirmed') end
  end
  for _, id in ipairs(due(box.expiring, most)) do
    local record = getRecord(id)
    if record and (record.state == 'ready' or record.state == 'delayed') then toDead(id, record, 'expired')
    else redis.call('ZREM', box.expiring, id) end
  end
  local old = redis.call('ZRANGEBYSCORE', box.settled, '-inf', whole(nowMs - limits.historyMs), 'LIMIT', 0, most)
  for _, id in ipairs(old) do redis.call('ZREM', box.settled, id) forget(id) end
  local trimmed = redis.call('ZRANGEBYSCORE', box.dead, '-inf', whole(nowMs - limits.deadMs), 'LIMIT', 0, most)
  for _, id in ipairs(trimmed) do redis.call('ZREM', box.dead, id) forget(id) end
  if #trimmed == 0 and redis.call('ZCARD', box.dead) > limits.deadMost then
    trimmed = redis.call('ZRANGE', box.dead, 0, 0)
    local record = getRecord(trimmed[1])
    -- Its sender may still look what became of it.
    if record then purge(trimmed[1], record) else redis.call('ZREM', box.dead, trimmed[1]) end
  end
  if #trimmed > 0 then redis.call('HINCRBY', box.meta, 'dead-trimmed', #trimmed) end
end
local function nextDueMs()
  local soonest = 0
  for _, set in ipairs({ box.delayed, box.open }) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] and (soonest == 0 or tonumber(first[2]) < soonest) then soonest = tonumber(first[2]) end
  end
  return whole(soonest)
end
-- What is open is counted of one agent, because a queue has others; of all where none is named.
local function counts(agent)
  local unread, open = 0, 0
  for p = 0, 3 do unread = unread + redis.call('ZCARD', box.ready[p]) end
  local runs = redis.call('HGETALL', box.runs)
  for n = 1, #runs, 2 do
    if agent == '' or agentOf(runs[n]) == agent then open = open + tonumber(runs[n + 1]) end
  end
  return {
    whole(unread), whole(redis.call('ZCARD', box.ready[3])), whole(open),
    whole(redis.call('ZCARD', box.dead)), nextDueMs(), whole(redis.call('HLEN', box.outbox)),
  }
end
