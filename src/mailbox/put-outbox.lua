#!lua flags=
--[[
  Accept a message for several recipients, once per operation: it is kept in the sender's slot until each was reached.

  KEYS[1]   operations (hash)                        KEYS[2]   operation expiry (sorted set)
  KEYS[3]   outbox (hash)                            KEYS[4]   audit rows (list)
  KEYS[5]   sent-to (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   operation; without a key of the caller it begins with d|
  ARGV[3]   digest of what was asked                 ARGV[4]   attempt
  ARGV[5]   how long the operation is remembered, ms ARGV[6]   message id
  ARGV[7]   entry, opaque                            ARGV[8]   recipients, separated by commas
  ARGV[9]   audit rows, one a line
  ARGV[10…] under a lock alone: its lease, see ../redis/lua/lease.lua

  Returns {"STORED", id} · {"REPLAYED", answer} · {"CONFLICT"} · {"LEASE_OVER"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/overlap.lua
--@include ../redis/lua/lease.lua
if late() then return { 'LATE' } end
local operations, operationExpiry, outbox, auditRows, sentTo = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, digest, attempt, keepMs = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local id, entry, recipients, rows = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local leaseAt = 10
local lease = readLease(ARGV[leaseAt])
local known, answer = recallOperation(operations, operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'CONFLICT' } end
if known == 'SAME' then return { 'STORED', id } end
-- What was taken back from everybody who did not refuse it is no duplicate.
local function isTakenBack(first)
  local some = false
  for mark in string.gmatch(redis.call('HGET', sentTo, first) or '', '([^,])[^,]*') do
    if mark == '-' then some = true elseif mark ~= '!' then return false end
  end
  return some
end
local anew = known and string.sub(operation, 1, 2) == 'd|' and isTakenBack(string.match(answer, '^[^|]*'))
if known and not anew then return { 'REPLAYED', answer } end
if lease and isOver(operations, lease) then return { 'LEASE_OVER' } end
audit(auditRows, rows)
redis.call('HSET', outbox, 'entry:' .. id, entry, 'left:' .. id, recipients)
rememberOperation(operations, operationExpiry, operation, digest, attempt, id, keepMs)
if lease then noteToken(operations, operationExpiry, lease) end
forgetOldOperations(operations, operationExpiry)
return { 'STORED', id }
