#!lua flags=allow-oom
--[[
  Deliver messages of one root to a run and move the agent's positions, if nothing about its deliveries changed since
  they were looked at. Our own repetition finds what the first attempt did.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  open of the agent (hash)
  KEYS[13]  taken of the agent (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   revision that was looked at
  ARGV[3]   attempt                                  ARGV[4]   run, as agent/id
  ARGV[5]   batch: the name of this page             ARGV[6]   how many messages
  ARGV[7]   how many fields to set                   ARGV[8]   how many fields to drop
  ARGV[9]   what was taken up to this sequence is below every position, or empty
  ARGV[10]  how long they stay open without being confirmed before they come again, ms; 0 for as long as the run lives
  ARGV[11…] messages: id, topic, sequence, 1 if a position covers it, 1 if its text will be cut; then fields with
            values, then fields to drop, all in the deliveries

  Returns {"TAKEN", {id, open record, facts, body, …}} · {"CHANGED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
local agentDeliveries, agentOpen, agentTaken = KEYS[11], KEYS[12], KEYS[13]
--@include lua/open.lua
if late() then return { 'LATE' } end
local revision, attempt, run, batch = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local messages, sets, drops, purge = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local claimMs = tonumber(ARGV[10])
local at = 11
local repeated = redis.call('HGET', agentDeliveries, 'attempt') == attempt
if not repeated then
  if (redis.call('HGET', agentDeliveries, 'revision') or '0') ~= revision then return { 'CHANGED' } end
  for n = 0, messages - 1 do
    if redis.call('HEXISTS', root.messages, ARGV[at + n * 5]) == 0 then return { 'CHANGED' } end
  end
  redis.call('HSET', agentDeliveries, 'attempt', attempt)
  changed()
end
local delivered = {}
for n = 0, messages - 1 do
  local here = at + n * 5
  local id, topic, sequence, covered, cut = ARGV[here], ARGV[here + 1], ARGV[here + 2], ARGV[here + 3], ARGV[here + 4]
  local known = redis.call('HGET', agentOpen, id)
  if not repeated then
    local record = known and readOpen(known) or { count = '0' }
    if not known then redis.call('HINCRBY', root.holds, id, 1) end
    record.state, record.run, record.batch, record.since = 'open', run, batch, whole(nowMs)
    record.due = claimMs > 0 and whole(nowMs + claimMs) or '0'
    record.count = whole(tonumber(record.count) + 1)
    record.sequence, record.topic, record.cut = sequence, topic, cut
    putOpen(id, record)
    if covered ~= '1' then redis.call('ZADD', agentTaken, sequence, topic .. '|' .. id) end
    known = redis.call('HGET', agentOpen, id)
  end
  if known then
    delivered[#delivered + 1] = id
    delivered[#delivered + 1] = known
    delivered[#delivered + 1] = redis.call('HGET', root.facts, id) or ''
    delivered[#delivered + 1] = redis.call('HGET', root.messages, id) or ''
  end
end
if not repeated then
  at = at + messages * 5
  for n = 0, sets - 1 do redis.call('HSET', agentDeliveries, ARGV[at + n * 2], ARGV[at + n * 2 + 1]) end
  at = at + sets * 2
  for n = 0, drops - 1 do redis.call('HDEL', agentDeliveries, ARGV[at + n]) end
  if purge ~= '' then redis.call('ZREMRANGEBYSCORE', agentTaken, '-inf', purge) end
end
return { 'TAKEN', delivered }
