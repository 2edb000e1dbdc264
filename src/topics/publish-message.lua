#!lua flags=
--[[
  Append a message to a topic, once per operation. What it costs depends on neither subscribers nor history.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  operations (hash)                        KEYS[12]  operation expiry (sorted set)
  KEYS[13]  index of the topic (sorted set)          KEYS[14]  trims of the topic (sorted set)
  KEYS[15]  audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   operation
  ARGV[3]   digest of what was asked                 ARGV[4]   attempt
  ARGV[5]   how long the operation is remembered, ms ARGV[6]   message id
  ARGV[7]   envelope and body, opaque                ARGV[8]   topic
  ARGV[9]   sender                                   ARGV[10]  priority, 0 to 3
  ARGV[11]  bytes                                    ARGV[12]  thread
  ARGV[13]  expires, ms from now; 0 with the history ARGV[14]  default retention, ms
  ARGV[15]  default retention, messages              ARGV[16]  default retention, bytes
  ARGV[17]  most messages trimmed at a call          ARGV[18]  1 when no access list binds the sender
  ARGV[19]  audit row, or empty when it was recorded before
  ARGV[20…] under a lock alone: its lease, see ../redis/lua/lease.lua

  Returns {"STORED", id} · {"REPLAYED", id} · {"CONFLICT"} · {"DENIED"} · {"LEASE_OVER"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/overlap.lua
--@include ../redis/lua/lease.lua
--@include lua/root.lua
--@include lua/topic.lua
--@include lua/trim.lua
if late() then return { 'LATE' } end
local operations, operationExpiry, index, trims, auditRows = KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local operation, digest, attempt, keepMs = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local id, body, topic, sender, priority = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local bytes, thread, lifeMs, unbound, row = tonumber(ARGV[11]), ARGV[12], tonumber(ARGV[13]), ARGV[18] == '1', ARGV[19]
local leaseAt = 20
local lease = readLease(ARGV[leaseAt])

local known, answer = recallOperation(operations, operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'CONFLICT' } end
if known == 'SAME' then return { 'STORED', answer } end
if known == 'REPLAYED' then return { 'REPLAYED', answer } end
if lease and isOver(operations, lease) then return { 'LEASE_OVER' } end
if not unbound and not allows(setting(topic, 'publishers'), sender) then return { 'DENIED' } end

audit(auditRows, row)
local record = openTopic(topic)
local sequence = nextSequence(root.meta)
redis.call('HSET', root.messages, id, body)
redis.call('HSET', root.facts, id, table.concat({
  whole(sequence), topic, sender, priority, whole(bytes), thread, whole(nowMs),
  lifeMs > 0 and whole(nowMs + lifeMs) or '0',
}, '|'))
redis.call('ZADD', index, whole(sequence), id)
redis.call('ZADD', root.heads, whole(sequence), topic)
record.last, record.published, record.bytes = nowMs, record.published + 1, record.bytes + bytes
trim(topic, record, index, trims, retention(topic, ARGV[14], ARGV[15], ARGV[16]), tonumber(ARGV[17]))
putTopic(topic, record)
rememberOperation(operations, operationExpiry, operation, digest, attempt, id, keepMs)
if lease then noteToken(operations, operationExpiry, lease) end
forgetOldOperations(operations, operationExpiry)
redis.call('PUBLISH', root.channel, topic)
return { 'STORED', id }
