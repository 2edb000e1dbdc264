#!lua flags=allow-oom
--[[
  List requests: those that wait for a decision, the first to expire first, or all that are kept, the newest first.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   pending or all                           ARGV[4]   most of them
  ARGV[5]   audit row of the look, or empty

  Returns {"LIST", {id, request, head of its question, votes, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local which, most = ARGV[3], tonumber(ARGV[4])
audit(slot.audit, ARGV[5])
local ids = which == 'all' and redis.call('ZREVRANGE', slot.all, 0, most - 1) or redis.call('ZRANGE', slot.due, 0, 2000)
local list = {}
for _, id in ipairs(ids) do
  local request = getRequest(id)
  if request and #list < 4 * most and (which == 'all' or request.state == 'pending') then
    list[#list + 1] = id
    list[#list + 1] = writeRequest(request)
    list[#list + 1] = redis.call('HGET', slot.questions, id .. ':head') or ''
    list[#list + 1] = redis.call('HGET', slot.votes, id) or ''
  end
end
return { 'LIST', list }
