#!lua flags=
--[[
  Hold an approval of exactly what was approved for one operation, until it is told whether that was done. The same
  operation again holds it too, or finds that it was used by itself.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   digest of what is about to be done       ARGV[4]   operation
  ARGV[5]   attempt of it that holds it              ARGV[6]   how long the operation is remembered, ms
  ARGV[7]   how long it is held, ms; then it counts as used
  ARGV[8]   audit row of a repetition, with @ID@ for the request and @WHY@ for whose votes

  Returns {"CLAIMED", id, request} · {"USED", id, request} when this operation has used it · {"IN_USE", id} when another
          one holds it · {"NONE"} when nothing of that kind is approved and unused · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local digest, operation, attempt, operationKeepMs = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local claimMs, row = tonumber(ARGV[7]), ARGV[8]
local function claimed(id, request)
  if not string.find(',' .. request.holders .. ',', ',' .. attempt .. ',', 1, true) then
    request.holders = request.holders == '' and attempt or request.holders .. ',' .. attempt
  end
  request.claim, request.claimUntil = operation, nowMs + claimMs
  keepRequest(id, request)
  rememberOperation(slot.operations, slot.operationExpiry, operation, questionIn(digest), '', id, operationKeepMs)
  return { 'CLAIMED', id, writeRequest(request) }
end
-- Under which terms it was approved is no matter for a repetition: it was approved for this operation.
local known, before = recallOperation(slot.operations, slot.operationExpiry, operation, questionIn(digest), '')
if known == 'CONFLICT' then return { 'NONE' } end
local held = known and getRequest(before)
if held and held.claim == operation then
  -- As many attempts at once as nobody has who means well.
  return #held.holders > 4000 and { 'IN_USE', before } or claimed(before, held)
end
if held and held.used > 0 then
  audit(slot.audit, named(row, before, because(held)))
  return { 'USED', before, writeRequest(held) }
end
local id = redis.call('HGET', slot.standing, questionIn(digest))
local request = id and getRequest(id)
-- Where other arguments were approved, the question as it was asked is void; an approval under other terms is none.
local approved = request and (request.chosen ~= '' and request.chosen or request.digest)
if not request or approved ~= digest then return { 'NONE' } end
if request.claim ~= '' then return { 'IN_USE', id } end
if not isUsable(request) then return { 'NONE' } end
local reply = claimed(id, request)
forgetOldOperations(slot.operations, slot.operationExpiry)
return reply
