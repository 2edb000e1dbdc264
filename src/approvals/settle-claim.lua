#!lua flags=allow-oom
--[[
  Tell whether that was done for which an approval is held: it is used up then, and otherwise given back once no other
  attempt of the operation holds it. A use also counts where the store has forgotten that it is held, and nobody else holds
  it.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id, or empty where that is not known     ARGV[4]   operation
  ARGV[5]   attempt                                  ARGV[6]   used or unused
  ARGV[7]   audit row of the use, with @ID@ for the request and @WHY@ for whose votes

  Returns {"SETTLED"} · {"HELD"} when another attempt holds it still · {"OVER"} when this operation does not hold it ·
          {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id, operation, attempt, outcome, row = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if id == '' then id = string.match(redis.call('HGET', slot.operations, operation) or '', '[^|]*$') end
local request = getRequest(id)
if not request then return { 'OVER' } end
if request.claim ~= operation and not (outcome == 'used' and isUsable(request)) then return { 'OVER' } end
if outcome == 'used' then
  audit(slot.audit, named(row, id, because(request)))
  useUp(id, request)
  return { 'SETTLED' }
end
local left = {}
for holder in string.gmatch(request.holders, '[^,]+') do
  if holder ~= attempt then left[#left + 1] = holder end
end
request.holders = table.concat(left, ',')
if #left > 0 then
  keepRequest(id, request)
  return { 'HELD' }
end
giveBack(id, request)
redis.call('HDEL', slot.operations, operation)
redis.call('ZREM', slot.operationExpiry, operation)
return { 'SETTLED' }
