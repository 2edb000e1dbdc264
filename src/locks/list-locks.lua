#!lua flags=no-writes
--[[
  Who holds and who waits, as it is: all in the order in which leases end, or what would conflict with a resource.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   how many at most                         ARGV[4]   agent to leave out beside resources, but for what rests; or empty
  ARGV[5]   how many of all to pass over, where there are no resources
  ARGV[6…]  resources, or none for all

  Returns {"LISTED", how many there are, 1 when lock time has to be moved on for what is shown to end, {id, run, mode, state, token, ends at ms, arrived at ms, priority, skipped,
          resources on a line each, …}, how many were looked at} · {"WIDE"} where too much would have to be compared · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local most, except, passed = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
readTime()
local found, resources = {}, {}
for n = 6, #ARGV do resources[#resources + 1] = ARGV[n] end
local total = redis.call('ZCARD', slot.due)
if #resources == 0 then
  local ids = redis.call('ZRANGE', slot.due, passed, passed + most - 1)
  loadRequests(ids)
  for _, id in ipairs(ids) do found[#found + 1] = getRequest(id) end
else
  local isTooWide = nearby(resources, function(request)
    if agentOf(request.run) ~= except or request.state == 'cooling' then found[#found + 1] = request end
    return false
  end, lookMost, lookMost)
  if isTooWide then return { 'WIDE' } end
  table.sort(found, function(a, b)
    if (a.state == 'waiting') ~= (b.state == 'waiting') then return b.state == 'waiting' end
    return comesBefore(a, b)
  end)
  total = #found
end
local rows, listed, waitsForTime = {}, 0, false
for _, request in ipairs(found) do
  if request.state ~= 'waiting' and (isCut or request.due <= lockMs) then waitsForTime = true end
  local isOver = request.state == 'held' and request.due <= lockMs
  if isOver then total = total - 1
  elseif listed < most then
    listed = listed + 1
    for _, word in ipairs({
      request.id, request.run, request.mode, request.state, whole(request.token), asClock(endOf(request)),
      asClock(request.arrival / 1000), tostring(request.priority), request.skipped and '1' or '0',
      table.concat(request.resources, '\n') }) do rows[#rows + 1] = word end
  end
end
return { 'LISTED', whole(total), waitsForTime and '1' or '0', rows, whole(#found) }
