#!lua flags=allow-oom
--[[
  Do what is due among the requests: expire, escalate, forget; and name those whose approvers have still to be told,
  and the links that can still be used.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   most of each kind

  Returns {"KEPT", {id, …}, {open link, "request|agent" it is for, …}} · {"LATE"}
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
local open = {}
local links = redis.call('HLEN', slot.links) > 1 and redis.call('HGETALL', slot.links) or {}
for n = 1, #links, 2 do
  local link = string.match(links[n], '^open:(.*)$')
  if link then
    open[#open + 1] = link
    open[#open + 1] = links[n + 1]
  end
end
return { 'KEPT', tell, open }
