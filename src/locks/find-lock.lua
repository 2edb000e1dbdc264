#!lua flags=no-writes
--[[
  What a lease, an offer or a place of an agent is for, whichever of its runs has it.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4]   id of the lease or ticket

  Returns {"FOUND", run, mode, resource, …} · {"UNKNOWN"} also for what is over or another agent's · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local agent, id = ARGV[3], ARGV[4]
readTime()
local request = getRequest(id)
if not request or agentOf(request.run) ~= agent or request.state == 'cooling' then return { 'UNKNOWN' } end
if request.state == 'held' and request.due <= lockMs then return { 'UNKNOWN' } end
return { 'FOUND', request.run, request.mode, unpack(request.resources) }
