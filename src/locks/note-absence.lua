#!lua flags=allow-oom
--[[
  Note that the client of a run is not seen any more, or is there again: what is offered to it lasts as long as for a dead
  process, or as long as for a living one. Its leases and its places stay. Nothing is noted of a run that has nothing.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   1 where its client is not seen, empty where it is there again

  Returns {"NOTED", 1 where something is noted of it now} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local run, isAbsent = ARGV[3], ARGV[4] == '1'
local ids = redis.call('HGET', slot.runs, run)
if not isAbsent and redis.call('SREM', slot.absent, run) == 0 or not ids then return { 'NOTED', '0' } end
if isAbsent then redis.call('SADD', slot.absent, run) end
moveTime()
for id in string.gmatch(ids, '%S+') do
  local request = getRequest(id)
  if request and request.state == 'offered' then
    request.due = offerDue(request)
    putRequest(request)
  end
end
expireDue(200)
handOn()
tell(false)
return { 'NOTED', isAbsent and '1' or '0' }
