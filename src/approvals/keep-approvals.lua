#!lua flags=allow-oom
--[[
  Do what is due among the requests: expire, escalate, forget; and name those whose approvers have still to be told.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   most of each kind

  Returns {"KEPT", {id, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local most, tell = tonumber(ARGV[3]), {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', slot.due, '-inf', whole(nowMs), 'LIMIT', 0, most)) do
  local request = getRequest(id)
  if not request then redis.call('ZREM', slot.due, id)
  elseif request.state == 'pending' and request.stage % 2 == 0 then
    keepRequest(id, request)
    tell[#tell + 1] = id
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', slot.all, '-inf', whole(nowMs - keepMs), 'LIMIT', 0, most)) do
  getRequest(id)
  forgetRequest(id)
end
for _, link in ipairs(redis.call('ZRANGEBYSCORE', slot.linkExpiry, '-inf', whole(nowMs), 'LIMIT', 0, most)) do
  redis.call('HDEL', slot.links, link)
  redis.call('ZREM', slot.linkExpiry, link)
end
forgetOldOperations(slot.operations, slot.operationExpiry)
return { 'KEPT', tell }
