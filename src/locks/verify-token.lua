#!lua flags=no-writes
--[[
  Tell whether a token is the one of a lease that holds a resource now.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   resource                                 ARGV[4]   token

  Returns {"VALID", id, agent, mode, ends at ms, 1 when lock time has to be moved on for it to end} · {"STALE", agent that holds it or empty, NEVER where no token that high was given · PART where
          its lease holds a part of the resource · NOT_NOW} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local resource, token = ARGV[3], tonumber(ARGV[4])
readTime()
local found, holder, isPart
nearby({ resource }, function(request)
  if request.state ~= 'held' or request.due <= lockMs then return false end
  holder = agentOf(request.run)
  if request.token ~= token then return false end
  isPart = true
  -- That a pattern overlaps is not enough: all that it means has to be held.
  for _, own in ipairs(request.resources) do if covers(own, resource) then found = request end end
  return found ~= nil
end)
if not found then return { 'STALE', holder or '', token > lastToken and 'NEVER' or isPart and 'PART' or 'NOT_NOW' } end
return { 'VALID', found.id, agentOf(found.run), found.mode, asClock(found.due), isCut and '1' or '0' }
