-- A delivery record: where one message stands in this mailbox. Written as words separated by "|".
-- state: ready, delayed, open, settled, unconfirmed, dead, recalled, purged (a dead letter whose text is gone) · flags: a acknowledgement asked for, j job, c cut,
-- l delivered to a caller without a session · files: ids of its attachments, separated by commas · said: why it was
-- given back or rejected, in the words of who did it (base64url)
local fields = {
  'state', 'sequence', 'priority', 'sender', 'count', 'run', 'batch', 'at', 'expires', 'flags', 'bytes', 'thread',
  'failures', 'openedAt', 'reminded', 'reason', 'files', 'said',
}
local numeric = {
  sequence = true, priority = true, count = true, at = true, expires = true, bytes = true, failures = true,
  openedAt = true, reminded = true,
}
local function readRecord(text)
  local record, n = {}, 0
  for word in string.gmatch(text .. '|', '([^|]*)|') do
    n = n + 1
    local name = fields[n]
    if name then record[name] = numeric[name] and tonumber(word) or word end
  end
  return record
end
local function writeRecord(record)
  local words = {}
  for n, name in ipairs(fields) do words[n] = numeric[name] and whole(record[name]) or record[name] or '' end
  return table.concat(words, '|')
end
local function getRecord(id)
  local text = redis.call('HGET', box.deliveries, id)
  if text then return readRecord(text) end
end
local function putRecord(id, record) redis.call('HSET', box.deliveries, id, writeRecord(record)) end
local function has(record, flag) return string.find(record.flags, flag, 1, true) ~= nil end
local function agentOf(run) return string.match(run, '^([^/]*)/') or '' end

-- Leaves whatever set the record is in now.
local function leave(id, record)
  if record.state == 'ready' then redis.call('ZREM', box.ready[record.priority], id)
  elseif record.state == 'delayed' then redis.call('ZREM', box.delayed, id)
  elseif record.state == 'open' then
    redis.call('ZREM', box.open, id)
    redis.call('ZREM', box.reminders, id)
    if redis.call('HINCRBY', box.runs, record.run, -1) <= 0 then redis.call('HDEL', box.runs, record.run) end
  elseif record.state == 'dead' then redis.call('ZREM', box.dead, id)
  else redis.call('ZREM', box.settled, id) end
end
local function isUnsettled(record) return record.state == 'ready' or record.state == 'delayed' or record.state == 'open' end
local function count(record, by)
  redis.call('HINCRBY', box.meta, 'count', by)
  redis.call('HINCRBY', box.meta, 'bytes', whole(by * record.bytes))
  if redis.call('HINCRBY', box.senders, record.sender, by) <= 0 then redis.call('HDEL', box.senders, record.sender) end
end
-- What comes back may have outlived its expiry meanwhile: upkeep has to find it.
local function expireLater(id, record) redis.call('ZADD', box.expiring, whole(record.expires), id) end
local function toReady(id, record)
  leave(id, record)
  expireLater(id, record)
  record.state = 'ready'
  redis.call('ZADD', box.ready[record.priority], whole(record.sequence), id)
  putRecord(id, record)
end
local function toDelayed(id, record, dueMs)
  leave(id, record)
  expireLater(id, record)
  record.state, record.at = 'delayed', dueMs
  redis.call('ZADD', box.delayed, whole(dueMs), id)
  putRecord(id, record)
end
local function toOpen(id, record, run, batch, deadlineMs)
  leave(id, record)
  record.state, record.run, record.batch, record.at = 'open', run, batch, deadlineMs
  record.openedAt, record.count = nowMs, record.count + 1
  redis.call('ZADD', box.open, whole(deadlineMs), id)
  redis.call('HINCRBY', box.runs, run, 1)
  putRecord(id, record)
end
-- settled, unconfirmed or recalled: history, no longer waiting for anybody.
local function toHistory(id, record, state)
  leave(id, record)
  redis.call('ZREM', box.expiring, id)
  if isUnsettled(record) then count(record, -1) end
  record.state, record.at = state, nowMs
  redis.call('ZADD', box.settled, whole(nowMs), id)
  putRecord(id, record)
end
-- The sender of a message is told through the outbox of this mailbox: each time, also where it could not be told before.
local function notify(id, words)
  words[#words + 1] = whole(nowMs)
  redis.call('HSET', box.outbox, 'notice:' .. id .. ':' .. whole(nowMs), table.concat(words, '|'))
end
local function toDead(id, record, reason)
  leave(id, record)
  redis.call('ZREM', box.expiring, id)
  if isUnsettled(record) then count(record, -1) end
  record.state, record.at, record.reason = 'dead', nowMs, reason
  redis.call('ZADD', box.dead, whole(nowMs), id)
  putRecord(id, record)
  if reason ~= 'expired' then notify(id, { 'dead', record.sender, reason, record.failures, record.said or '' }) end
end
local function toFailed(id, record, reason, delayMs)
  record.failures = record.failures + 1
  if record.failures >= limits.failuresMost then toDead(id, record, reason) return 'DEAD' end
  if delayMs > 0 then toDelayed(id, record, nowMs + delayMs) return 'DELAYED' end
  toReady(id, record)
  return 'READY'
end
local function backoffMs(failures) return math.min(5000 * 4 ^ failures, 600000) end
-- Attachments are in other slots: whoever sweeps the outbox gives them up.
local function dropFiles(id, record)
  if not record or not record.files or record.files == '' then return end
  redis.call('HDEL', box.outbox, 'carried:' .. id)
  redis.call('HSET', box.outbox, 'dropped:' .. id, record.files)
end
-- Nothing of a dead letter is left that its sender wrote, but that there was such a message: for as long as history is kept.
local function purge(id, record)
  leave(id, record)
  dropFiles(id, record)
  redis.call('HDEL', box.messages, id)
  redis.call('ZREM', box.all, id)
  record.state, record.at, record.files, record.said = 'purged', nowMs, '', ''
  redis.call('ZADD', box.settled, whole(nowMs), id)
  putRecord(id, record)
end
local function forget(id)
  dropFiles(id, getRecord(id))
  redis.call('HDEL', box.messages, id)
  redis.call('HDEL', box.deliveries, id)
  redis.call('ZREM', box.all, id)
end
