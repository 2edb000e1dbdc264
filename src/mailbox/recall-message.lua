#!lua flags=allow-oom
--[[
  Take back a message that nobody has been given yet.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   message id                               ARGV[4]   sender who recalls it
  ARGV[5]   audit row
  ARGV[6]   the operation by which it is still to be inserted here, or empty; then it is not inserted any more
  ARGV[7]   digest of that operation                 ARGV[8]   its attempt
  ARGV[9]   how long it is remembered, ms

  Returns {"RECALLED"} · {"DELIVERED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local id, sender, row = ARGV[3], ARGV[4], ARGV[5]
local operation, digest, attempt, keepMs = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local record = getRecord(id)
local isAwaited = not record and operation ~= ''

local function refusal()
  if not record or record.sender ~= sender then return { 'UNKNOWN' } end
  if record.state ~= 'recalled' and (record.count > 0 or not isUnsettled(record)) then return { 'DELIVERED' } end
end
local refused = not isAwaited and refusal()
if refused then return refused end
audit(box.audit, row)
if isAwaited then
  -- Without an id: so whoever is about to insert it learns that it was taken back.
  rememberOperation(box.operations, box.operationExpiry, operation, digest, attempt, '', keepMs)
  forgetOldOperations(box.operations, box.operationExpiry)
elseif record.state ~= 'recalled' then toHistory(id, record, 'recalled') end
return { 'RECALLED' }
