#!lua flags=allow-oom
--[[
  Have a message that is still to be published here not be published any more.

  KEYS[1]   operations (hash)                        KEYS[2]   operation expiry (sorted set)
  KEYS[3]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   the operation by which it is to be published
  ARGV[3]   digest of that operation                 ARGV[4]   its attempt
  ARGV[5]   how long it is remembered, ms            ARGV[6]   audit row

  Returns {"WITHDRAWN"} · {"PUBLISHED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
if late() then return { 'LATE' } end
local operations, operationExpiry, auditRows = KEYS[1], KEYS[2], KEYS[3]
local operation, digest, attempt, keepMs, row = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
-- What was published is remembered with its id.
local known, answer = recallOperation(operations, operationExpiry, operation, digest, attempt)
if known and answer ~= '' then return { 'PUBLISHED' } end
if known then return { 'WITHDRAWN' } end
audit(auditRows, row)
rememberOperation(operations, operationExpiry, operation, digest, attempt, '', keepMs)
forgetOldOperations(operations, operationExpiry)
return { 'WITHDRAWN' }
