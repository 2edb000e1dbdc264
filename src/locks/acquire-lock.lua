#!lua flags=
--[[
  Take all of some resources or none, or take a place in the queue; asked again, look how it stands now.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   process, or empty for a hook, which does not beat
  ARGV[5]   this call, which is also the id of a new request
  ARGV[6]   ticket to go on with, or empty           ARGV[7]   x for exclusive, s for shared
  ARGV[8]   priority, 0 to 10, or empty for the one it has
  ARGV[9]   how long a lease lasts, ms, or empty for what was asked before
  ARGV[10]  operation, or empty for none             ARGV[11]  digest of what was asked
  ARGV[12]  how long the operation is remembered, ms
  ARGV[13]  audit rows, a line each                  ARGV[14]  where to tell of its turn, or empty for as before
  ARGV[15]  1 where this call waits with the ticket: it is not taken from a run that took it meanwhile · 2 where it goes on
            without, once the ticket is no more, and what was lost is told when it is over
  ARGV[16]  1 where only what the run holds already is asked for: then nothing is granted, offered or queued
  ARGV[17…] resources, sorted; none with a ticket

  Returns {"GRANTED", effect, id, token, ends at ms, left ms, mode, {resource, …}, {what passed to this run along with it, see lua/passing.lua},
          {{older lease of the run, resource of both, …}, …}, when an edit hook lost what it gets again and others may have changed, ms,
          or empty} · {"ALREADY", the same without the last two} · {"COVERED", {{id, token, ends at ms, left ms, mode, {resource, …}, {resource asked for, …}}, …}}
          for what the run holds otherwise than it asks · {"NOT_HELD"} where it does not, and only that was asked for: nothing was done · {"QUEUED", effect, id, place,
          due in ms or -1, {agent, resource or empty, agent that it waits for or run of an edit hook, …} of a circle that a message, or the end of a turn, could open, {run, mode, state, ends at ms, resource, id, …},
          {resource, …}, {what passed along}, {run that waits before it, …}, when an edit hook lost it, as above, where a run of its agent holds it}, effect 1 where this call took or changed something, 0 where it found what the run had · {"DEADLOCK", {agent, resource, agent that it waits for, …}} · {"CROWDED", resource} · {"WIDE"} where too much would have to be compared ·
          {"FULL", NAMESPACE · RUN} · {"UNKNOWN", the last token that was given out when it was lost, or 0 where that is not known} · {"ELSEWHERE"} for a ticket that passed to another run while this call waited with it · {"GONE", id} · {"CONFLICT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/deadlock.lua
--@include lua/passing.lua
--@include lua/awaiting.lua
if late() then return { 'LATE' } end
local run, process, call, ticket, mode = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local priority, leaseMs = tonumber(ARGV[8]), tonumber(ARGV[9])
local operation, digest, keepMs, rows = ARGV[10], ARGV[11], tonumber(ARGV[12]), ARGV[13]
local notify, waits, goesOnWithout, heldOnly, resources = ARGV[14], ARGV[15] == '1', ARGV[15] == '2', ARGV[16] == '1', {}
for n = 17, #ARGV do resources[#resources + 1] = ARGV[n] end

local function covering() return coveringOf(run, resources, mode) end
-- Looked at before anything is recorded or changed, so that the call can be admitted to more and come again.
local function isHeld()
  readTime()
  if operation == '' then return covering() ~= nil end
  local word, id = recallOperation(slot.operations, slot.operationExpiry, operation, digest, call)
  if not word then return covering() ~= nil end
  if word == 'CONFLICT' then return true end
  local request = getRequest(id)
  return request and request.state == 'held' and request.run == run and request.due > lockMs
end
if heldOnly and not isHeld() then return { 'NOT_HELD' } end
local function sameResources(other)
  if #other.resources ~= #resources then return false end
  for n, resource in ipairs(resources) do if other.resources[n] ~= resource then return false end end
  return true
end
-- Each of what this run has of just these resources.
local function eachSame(each)
  for id in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do
    local request = getRequest(id)
    if request and sameResources(request) then each(request) end
  end
end
-- What it has already was compared when it came, and so it is with what came afterwards.
local function hasSame()
  local has = false
  eachSame(function(request) has = has or request.state ~= 'cooling' end)
  return has
end

if ticket == '' and not heldOnly and areTooWide(resources) and not hasSame() then return { 'WIDE' } end

local audited = audit(slot.audit, rows)
-- What comes to nothing leaves no row of this script: the refusal has its own, or the call goes on and has one then.
local function inVain(answer)
  unaudit(slot.audit, audited)
  tell(false)
  return answer
end
moveTime()
if process ~= '' then redis.call('ZADD', slot.processes, whole(lockMs), process) end
if expireDue(200) then
  local _, id = recallOperation(slot.operations, slot.operationExpiry, operation, digest, call)
  local around = {}
  for _, named in ipairs({ id or '', ticket }) do around[#around + 1] = getRequest(named) end
  nearby(around[1] and around[1].resources or resources, function(request)
    if request.state ~= 'waiting' and request.due <= lockMs then around[#around + 1] = request end
    return #around == 200
  end)
  -- What this run has of the same may go on, which nothing may that keeps nobody off.
  if ticket == '' then eachSame(function(request) around[#around + 1] = request end) end
  for _, request in ipairs(around) do endIfDue(request) end
end
handOn()

local along = {}
local function lease(request)
  return request.id, whole(request.token), asClock(request.due), asLeft(request.due), request.mode, request.resources
end
local function flag(hadEffect) return hadEffect and '1' or '0' end
-- Leases that this run had on some of it before, with what they have in common: their tokens are older from now on.
local function olderLeases(request)
  local older = {}
  if isAlone(request) then return older end
  nearby(request.resources, function(other)
    if other.run ~= run or other.id == request.id or other.state ~= 'held' or isOver(other) then return false end
    local common, seen = { other.id }, {}
    for _, own in ipairs(other.resources) do
      for _, resource in ipairs(request.resources) do
        -- What two patterns have in common besides has no name.
        local both = covers(own, resource) and resource or covers(resource, own) and own
        if both and not seen[both] then seen[both] = true common[#common + 1] = both end
      end
    end
    if #common > 1 then older[#older + 1] = common end
    return #older == 25
  end)
  return older
end
local function grant(request, hadEffect)
  local id, token, ends, left, how, all = lease(request)
  return { 'GRANTED', flag(hadEffect), id, token, ends, left, how, all, along, olderLeases(request), request.lostAt or '' }
end
-- What a hook is told once, our own repetition of its call is told as well.
local function keepLost(lostAt)
  if not lostAt then return end
  rememberOperation(slot.operations, slot.operationExpiry, 'lost ' .. call, '', call, lostAt, 60000)
  forgetOldOperations(slot.operations, slot.operationExpiry)
end
local function keptLost()
  if not isHook(run) then return nil end
  local _, lostAt = recallOperation(slot.operations, slot.operationExpiry, 'lost ' .. call, '', call)
  return lostAt
end
local function granted(request, hadEffect)
  request.call, request.process = call, process
  hold(request)
  keepLost(request.lostAt)
  putRequest(request)
  restCovered(request)
  tell(true)
  return grant(request, hadEffect)
end
-- Whether a run of a hook's agent holds some of it: then the edit passes without a lease of the hook's own.
local function isHeldByOwnRun(request)
  local isFound = false
  nearby(request.resources, function(other)
    isFound = other.state == 'held' and not isOver(other) and other.mode == 'x' and not isHook(other.run) and agentOf(other.run) == agentOf(run)
    return isFound
  end)
  return isFound
end
-- isNews: by this call it waits for others, or they for it, as they did not before.
local function queued(request, blockers, hadEffect, isNews)
  local place, holders, before = 1, {}, {}
  for _, blocker in ipairs(blockers) do
    local other = blocker.request
    if other.state == 'waiting' then
      place = place + 1
      if #before < 25 then before[#before + 1] = other.run end
    else
      if #holders < 25 then
        for _, word in ipairs({ other.run, other.mode, other.state, asClock(endOf(other)), blocker.resource, other.id }) do
          holders[#holders + 1] = word
        end
      end
    end
  end
  local circle = circleOfAwaited(run, request, isNews)
  -- Where it is refused its note stays, for the edit that passes.
  local lostAt = keptLost()
  if not lostAt and #holders == 0 and isHook(run) and isHeldByOwnRun(request) then
    lostAt = lostBefore(request, lastToken, lastToken)
    keepLost(lostAt)
  end
  tell(true)
  return { 'QUEUED', flag(hadEffect), request.id, whole(place), nextDueMs(), circle, holders, request.resources, along, before, lostAt or '' }
end
-- What this run waits for already, or is offered; a stronger mode is another wish.
local function mine()
  for id in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do
    local request = getRequest(id)
    if request and request.state ~= 'held' and request.state ~= 'cooling' and sameResources(request) and (request.mode == mode or request.mode == 'x' and request.state ~= 'waiting') then
      return request
    end
  end
end
-- Asked again for what its run holds: as good as a renewal, and its own length is not forgotten for that of a part of it.
local function prolong(leases, ms)
  local told = {}
  for _, one in ipairs(leases) do
    local request = one.request
    request.due = math.max(request.due, lockMs + ms)
    request.leaseMs, request.base = math.max(request.leaseMs, ms), lockMs
    putRequest(request)
    local id, token, ends, left, how, all = lease(request)
    told[#told + 1] = { id, token, ends, left, how, all, one.covers }
  end
  tell(true)
  return { 'COVERED', told }
end
local function goOn(request)
  if request.state == 'held' then
    request.lostAt = keptLost()
    if request.call == call then tell(false) return grant(request, true) end
    request.due = math.max(request.due, lockMs + (leaseMs or request.leaseMs))
    request.leaseMs, request.base = leaseMs or request.leaseMs, lockMs
    putRequest(request)
    tell(true)
    local id, token, ends, left, how, all = lease(request)
    return { 'ALREADY', '0', id, token, ends, left, how, all, along }
  end
  -- What its run holds by now is no new grant. The place stays, so that our own repetition of the call finds it.
  local held = heldOf(request)
  if held then
    restCovered(request)
    return prolong(held, leaseMs or request.leaseMs)
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
    if circle then return inVain({ 'DEADLOCK', circle }) end
  end
  local blockers = blockersOf(request)
  if #blockers == 0 then return granted(request, hadEffect) end
  putRequest(request)
  return queued(request, blockers, hadEffect, hadEffect or wasSkipped)
end

-- Of a request that its agent named: it is of this run from now on, whichever had it.
local function goOnHere(request)
  local circle
  along, circle = passTo(request, run, process)
  if along then return goOn(request) end
  return inVain(circle and { 'DEADLOCK', circle } or { 'FULL', 'RUN' })
end

if operation ~= '' then
  local word, id = recallOperation(slot.operations, slot.operationExpiry, operation, digest, call)
  if word == 'CONFLICT' then return inVain({ 'CONFLICT' }) end
  if word then
    local request = getRequest(id)
    if request and request.state ~= 'cooling' then return goOnHere(request) end
    if word == 'REPLAYED' then return inVain({ 'GONE', id }) end
  end
end
if ticket ~= '' then
  local request = getRequest(ticket)
  local isOwn = request and agentOf(request.run) == agentOf(run) and request.state ~= 'cooling' and not isHook(request.run)
  if isOwn and not (waits and request.run ~= run) then return goOnHere(request) end
  local lastThen = not isOwn and not goesOnWithout and strikeUntold(run, ticket)
  return inVain(isOwn and { 'ELSEWHERE' } or { 'UNKNOWN', lastThen or '0' })
end
local ids, own = redis.call('HGET', slot.runs, run), 0
local leases = ids and covering()
if leases then
  for _, one in ipairs(leases) do
    if one.request.call == call or #leases == 1 and sameResources(one.request) then return goOn(one.request) end
  end
  return prolong(leases, leaseMs)
end
if heldOnly then return inVain({ 'NOT_HELD' }) end
local before = ids and mine()
if before then return goOn(before) end

if redis.call('ZCARD', slot.due) >= limits.requestsMost then return inVain({ 'FULL', 'NAMESPACE' }) end
for _ in string.gmatch(ids or '', '%S+') do own = own + 1 end
if own >= limits.runMost then
  for id in string.gmatch(ids, '%S+') do
    local over = getRequest(id)
    if over and isFree(over) then own = own - 1 end
  end
end
if own >= limits.runMost then return inVain({ 'FULL', 'RUN' }) end
local request = {
  id = call, run = run, process = process, mode = mode, priority = priority or 5, arrival = nextArrival(),
  leaseMs = leaseMs, state = 'waiting', token = 0, due = 0, base = 0, skipped = false, notify = notify, call = call,
  resources = resources,
}
local blockers = blockersOf(request)
if #blockers > 0 then
  for _, resource in ipairs(resources) do
    local waiting = 0
    nearby({ resource }, function(other) if other.state == 'waiting' then waiting = waiting + 1 end return false end)
    if waiting >= limits.waitersMost then return inVain({ 'CROWDED', resource }) end
  end
end
known[request.id], tentative = request, request.id
local circle = circleOf(request)
tentative = nil
if circle then return inVain({ 'DEADLOCK', circle }) end
if operation ~= '' then
  rememberOperation(slot.operations, slot.operationExpiry, operation, digest, call, call, keepMs)
  forgetOldOperations(slot.operations, slot.operationExpiry)
end
if #blockers > 0 then
  addRequest(request)
  return queued(request, blockers, true, true)
end
request.call = call
hold(request)
keepLost(request.lostAt)
addRequest(request)
restCovered(request)
-- A hook is gone with its answer: those are told of a circle who wait in it, where it comes before one of them.
if isHook(run) and isInTheWay(request) then circleOfAwaited(run, nil, true) end
tell(true)
return grant(request, true)
