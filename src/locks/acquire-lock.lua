#!lua flags=
--[[
  Take all of some resources or none, or take a place in the queue; asked again, look how it stands now.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   process
  ARGV[5]   this call, which is also the id of a new request
  ARGV[6]   ticket to go on with, or empty           ARGV[7]   x for exclusive, s for shared
  ARGV[8]   priority, 0 to 10, or empty for the one it has
  ARGV[9]   how long a lease lasts, ms, or empty for what was asked before
  ARGV[10]  operation, or empty for none             ARGV[11]  digest of what was asked
  ARGV[12]  how long the operation is remembered, ms
  ARGV[13]  audit rows, a line each                  ARGV[14]  where to tell of its turn, or empty for as before
  ARGV[15…] resources, sorted; none with a ticket

  Returns {"GRANTED", effect, id, token, ends at ms, {resource, …}} · {"ALREADY", the same} · {"QUEUED", effect, id, place,
          due in ms or -1, {agent, resource or empty, agent that it waits for, …} of a circle that a message could open, {run, mode, state, ends at ms, resource, …},
          {resource, …}}, effect 1 where this call took or changed something, 0 where it found what the run had · {"DEADLOCK", {agent, resource, agent that it waits for, …}} · {"CROWDED", resource} ·
          {"FULL", NAMESPACE · RUN} · {"UNKNOWN"} · {"GONE", id} · {"CONFLICT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/deadlock.lua
--@include lua/awaiting.lua
if late() then return { 'LATE' } end
local run, process, call, ticket, mode = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local priority, leaseMs = tonumber(ARGV[8]), tonumber(ARGV[9])
local operation, digest, keepMs, rows = ARGV[10], ARGV[11], tonumber(ARGV[12]), ARGV[13]
local notify, resources = ARGV[14], {}
for n = 15, #ARGV do resources[#resources + 1] = ARGV[n] end

audit(slot.audit, rows)
moveTime()
redis.call('ZADD', slot.processes, whole(lockMs), process)
expireDue(200)
handOn()

local function lease(request)
  return request.id, whole(request.token), asClock(request.due), request.resources
end
local function flag(hadEffect) return hadEffect and '1' or '0' end
local function granted(request, hadEffect)
  request.call, request.process = call, process
  hold(request)
  putRequest(request)
  tell(true)
  return { 'GRANTED', flag(hadEffect), lease(request) }
end
local function queued(request, blockers, hadEffect)
  local place, holders = 1, {}
  for _, blocker in ipairs(blockers) do
    local other = blocker.request
    if other.state == 'waiting' then place = place + 1
    else
      if #holders < 25 then
        for _, word in ipairs({ other.run, other.mode, other.state, asClock(other.due), blocker.resource }) do
          holders[#holders + 1] = word
        end
      end
    end
  end
  tell(true)
  local circle = circleOfAwaited(run, request)
  return { 'QUEUED', flag(hadEffect), request.id, whole(place), nextDueMs(), circle, holders, request.resources }
end
local function sameResources(other)
  if #other.resources ~= #resources then return false end
  for n, resource in ipairs(resources) do if other.resources[n] ~= resource then return false end end
  return true
end
-- What this run has or waits for already; a stronger mode is another wish.
local function mine()
  for id in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do
    local request = getRequest(id)
    if request and sameResources(request) and (request.mode == mode or request.mode == 'x' and request.state ~= 'waiting') then
      return request
    end
  end
end
local function goOn(request)
  if request.state == 'held' then
    if request.call == call then tell(false) return { 'GRANTED', '1', lease(request) } end
    request.due = math.max(request.due, lockMs + (leaseMs or request.leaseMs))
    request.leaseMs, request.base = leaseMs or request.leaseMs, lockMs
    putRequest(request)
    tell(true)
    return { 'ALREADY', '0', lease(request) }
  end
  -- Our own repetition of the call that took the place, or changed it, is that call.
  local hadEffect = request.call == call or leaseMs and leaseMs ~= request.leaseMs or
    notify ~= '' and notify ~= request.notify or priority and priority > request.priority
  request.leaseMs = leaseMs or request.leaseMs
  if notify ~= '' then request.notify = notify end
  if request.state == 'offered' then return granted(request, hadEffect) end
  local before, wasSkipped = request.priority, request.skipped
  if priority and priority > before then request.priority = priority end
  request.skipped, request.process, request.call = false, process, call
  if wasSkipped or request.priority > before then
    local circle = circleOf(request)
    if circle then
      tell(false)
      return { 'DEADLOCK', circle }
    end
  end
  local blockers = blockersOf(request)
  if #blockers == 0 then return granted(request, hadEffect) end
  putRequest(request)
  return queued(request, blockers, hadEffect)
end

if operation ~= '' then
  local word, id = recallOperation(slot.operations, slot.operationExpiry, operation, digest, call)
  if word == 'CONFLICT' then tell(false) return { 'CONFLICT' } end
  if word then
    local request = getRequest(id)
    if request and request.state ~= 'cooling' then return goOn(request) end
    if word == 'REPLAYED' then tell(false) return { 'GONE', id } end
  end
end
if ticket ~= '' then
  local request = getRequest(ticket)
  if request and request.run == run and request.state ~= 'cooling' then return goOn(request) end
  tell(false)
  return { 'UNKNOWN' }
end
local before = mine()
if before then return goOn(before) end

if redis.call('ZCARD', slot.due) >= limits.requestsMost then tell(false) return { 'FULL', 'NAMESPACE' } end
local own = 0
for _ in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do own = own + 1 end
if own >= limits.runMost then tell(false) return { 'FULL', 'RUN' } end
local request = {
  id = call, run = run, process = process, mode = mode, priority = priority or 5, arrival = nextArrival(),
  leaseMs = leaseMs, state = 'waiting', token = 0, due = 0, base = 0, skipped = false, notify = notify, call = call,
  resources = resources,
}
local blockers = blockersOf(request)
if #blockers > 0 then
  for _, resource in ipairs(resources) do
    local waiting = 0
    nearby({ resource }, function(other) if other.state == 'waiting' then waiting = waiting + 1 end end)
    if waiting >= limits.waitersMost then tell(false) return { 'CROWDED', resource } end
  end
end
known[request.id], tentative = request, request.id
local circle = circleOf(request)
tentative = nil
if circle then tell(false) return { 'DEADLOCK', circle } end
if operation ~= '' then
  rememberOperation(slot.operations, slot.operationExpiry, operation, digest, call, call, keepMs)
  forgetOldOperations(slot.operations, slot.operationExpiry)
end
if #blockers > 0 then
  addRequest(request)
  return queued(request, blockers, true)
end
request.call = call
hold(request)
addRequest(request)
tell(true)
return { 'GRANTED', '1', lease(request) }
