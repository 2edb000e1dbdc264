#!lua flags=allow-oom
--[[
  Note that the approvers of a request were told, and by which messages, so that an answer to one finds the request.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id                                       ARGV[4]   stage in which they were told
  ARGV[5…]  ids of the messages

  Returns {"NOTED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id, stage, messages = ARGV[3], tonumber(ARGV[4]), {}
local request = getRequest(id)
if not request then return { 'UNKNOWN' } end
local known = redis.call('HGET', slot.notices, '@' .. id)
if known then messages[1] = known end
for n = 5, #ARGV do
  if redis.call('HSETNX', slot.notices, ARGV[n], id) == 1 then messages[#messages + 1] = ARGV[n] end
end
if #messages > 0 then redis.call('HSET', slot.notices, '@' .. id, table.concat(messages, ',')) end
if request.state == 'pending' and request.stage == stage then
  request.stage = stage + 1
  keepRequest(id, request)
end
return { 'NOTED' }
