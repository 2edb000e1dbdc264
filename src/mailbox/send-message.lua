#!lua flags=
--[[
  Put a message into a mailbox, once per operation.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   operation; d|… without a caller's key    ARGV[4]   digest of what was asked
  ARGV[5]   attempt                                  ARGV[6]   how long the operation is remembered, ms
  ARGV[7]   message id                               ARGV[8]   envelope and body, opaque
  ARGV[9]   bytes                                    ARGV[10]  priority, 0 to 3
  ARGV[11]  sender                                   ARGV[12]  expires, ms from now
  ARGV[13]  flags, see lua/delivery.lua              ARGV[14]  thread
  ARGV[15]  most unsettled messages                  ARGV[16]  most unsettled bytes
  ARGV[17]  most unsettled messages of one sender    ARGV[18]  ids of its attachments, separated by commas
  ARGV[19]  audit row, or empty when it was recorded before
  ARGV[20…] under a lock alone: its lease, see ../redis/lua/lease.lua

  Returns {"STORED", id, or empty where it was taken back before} · {"REPLAYED", id} · {"CONFLICT"} · {"FULL", count, bytes} · {"SENDER_FULL", count} ·
          {"BLOCKED"} · {"LEASE_OVER"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/overlap.lua
--@include ../redis/lua/lease.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
--@include lua/upkeep.lua
if late() then return { 'LATE' } end
local operation, digest, attempt, keepMs = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local id, body, bytes = ARGV[7], ARGV[8], tonumber(ARGV[9])
local priority, sender, lifeMs, flags, thread = tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12]), ARGV[13], ARGV[14]
local mostCount, mostBytes, mostOfSender = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local files, row = ARGV[18], ARGV[19]
local leaseAt = 20
local lease = readLease(ARGV[leaseAt])

local known, answer = recallOperation(box.operations, box.operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'CONFLICT' } end
if known == 'SAME' then return { 'STORED', answer } end
-- What was taken back is no duplicate.
local first = known and string.sub(operation, 1, 2) == 'd|' and getRecord(answer)
local anew = first and first.state == 'recalled'
if known == 'REPLAYED' and not anew then return { 'REPLAYED', answer } end
if lease and isOver(box.operations, lease) then return { 'LEASE_OVER' } end
if redis.call('SISMEMBER', box.blocked, sender) == 1 then return { 'BLOCKED' } end

local function refusal()
  local usedCount = tonumber(redis.call('HGET', box.meta, 'count') or '0')
  local usedBytes = tonumber(redis.call('HGET', box.meta, 'bytes') or '0')
  if usedCount >= mostCount or usedBytes + bytes > mostBytes then return { 'FULL', whole(usedCount), whole(usedBytes) } end
  local ofSender = tonumber(redis.call('HGET', box.senders, sender) or '0')
  if ofSender >= mostOfSender then return { 'SENDER_FULL', whole(ofSender) } end
end
local refused = refusal()
if refused then
  upkeep(100)
  refused = refusal()
  if refused then return refused end
end

audit(box.audit, row)
local sequence = nextSequence(box.meta)
local record = {
  state = 'ready', sequence = sequence, priority = priority, sender = sender, count = 0, run = '', batch = '', at = nowMs,
  expires = nowMs + lifeMs, flags = flags, bytes = bytes, thread = thread, failures = 0, openedAt = 0, reminded = 0,
  reason = '', files = files,
}
redis.call('HSET', box.messages, id, body)
putRecord(id, record)
redis.call('ZADD', box.ready[priority], whole(sequence), id)
redis.call('ZADD', box.all, whole(sequence), id)
redis.call('ZADD', box.expiring, whole(record.expires), id)
if files ~= '' then redis.call('HSET', box.outbox, 'carried:' .. id, files) end
count(record, 1)
rememberOperation(box.operations, box.operationExpiry, operation, digest, attempt, id, keepMs)
if lease then noteToken(box.operations, box.operationExpiry, lease) end
forgetOldOperations(box.operations, box.operationExpiry)
redis.call('PUBLISH', box.channel, 'stored')
return { 'STORED', id }
