#!lua flags=
--[[
  Use an approval up for exactly what was approved; the same operation again is the same use.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   digest of what is about to be done       ARGV[4]   operation
  ARGV[5]   how long the operation is remembered, ms ARGV[6]   audit row, with @ID@ for the request and @WHY@ for whose votes

  Returns {"USED", id, request} · {"REPLAYED", id, request} · {"NONE"} when nothing of that kind is approved and unused ·
          {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local digest, operation, operationKeepMs, row = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local known, before = recallOperation(slot.operations, slot.operationExpiry, operation, digest, '')
if known == 'CONFLICT' then return { 'NONE' } end
local function because(request) return request.counted == '' and 'nobody decided in time' or 'approved by ' .. request.counted end
if known then
  local request = getRequest(before)
  if not request then return { 'NONE' } end
  audit(slot.audit, named(row, before, because(request)))
  return { 'REPLAYED', before, writeRequest(request) }
end
local id = redis.call('HGET', slot.standing, questionIn(digest))
local request = id and getRequest(id)
-- Where other arguments were approved, the question as it was asked is void; an approval under other terms is none.
local approved = request and (request.chosen ~= '' and request.chosen or request.digest)
if not request or not isUsable(request) or approved ~= digest then return { 'NONE' } end
audit(slot.audit, named(row, id, because(request)))
dropStanding(id, request)
if request.state == 'approved' then request.state = 'used' end
request.used, request.usable = nowMs, 0
keepRequest(id, request)
rememberOperation(slot.operations, slot.operationExpiry, operation, digest, '', id, operationKeepMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
redis.call('PUBLISH', slot.channel, id)
return { 'USED', id, writeRequest(request) }
