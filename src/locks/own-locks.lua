#!lua flags=no-writes
--[[
  What an agent holds, is offered and waits for, in all of its runs: leases and offers in the order in which they end, then
  places in the order in which they came.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4]   how many at most

  Returns {"LISTED", how many there are, {id, run, mode, state, token, ends at ms, place or 0, skipped, resources on a line
          each, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local agent, most = ARGV[3], tonumber(ARGV[4])
readTime()
local found = {}
for _, run in ipairs(redis.call('HKEYS', slot.runs)) do
  if agentOf(run) == agent then
    local ids = {}
    for id in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do ids[#ids + 1] = id end
    loadRequests(ids)
    for _, id in ipairs(ids) do
      local request = getRequest(id)
      if request and not isOver(request) and not isCovered(request) then found[#found + 1] = request end
    end
  end
end
table.sort(found, function(a, b)
  if (a.state == 'waiting') ~= (b.state == 'waiting') then return b.state == 'waiting' end
  if a.state == 'waiting' or a.due == b.due then return a.arrival < b.arrival end
  return a.due < b.due
end)
local rows = {}
for n = 1, math.min(#found, most) do
  local request, place = found[n], 0
  if request.state == 'waiting' then
    -- Of the others it is told how many there are.
    if compared > lookMost then break end
    place = 1
    for _, blocker in ipairs(blockersOf(request)) do
      if blocker.request.state == 'waiting' then place = place + 1 end
    end
  end
  for _, word in ipairs({
    request.id, request.run, request.mode, request.state, whole(request.token), asClock(endOf(request)), whole(place),
    request.skipped and '1' or '0', table.concat(request.resources, '\n') }) do rows[#rows + 1] = word end
end
return { 'LISTED', whole(#found), rows }
