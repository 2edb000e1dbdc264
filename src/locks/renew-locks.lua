#!lua flags=allow-oom
--[[
  Prolong leases: when their agent asked to, which makes them the asking run's, or because their run called. Nothing is ever
  shortened. What an edit hook of the agent took stays that one's.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   renew or touch
  ARGV[5]   how long a lease lasts from now, ms, or empty for what was asked before
  ARGV[6]   longest a touched lease lasts from its grant or renewal, ms
  ARGV[7]   audit rows, a line each                  ARGV[8]   process
  ARGV[9]   how many that are lost the caller tells of   ARGV[10…] ids, with ! before those that are looked at and not prolonged

  Returns {"RENEWED", {id, word, token, ends at ms, left ms, mode, …}, {what passed to this run along with them, see lua/passing.lua}} with a
          word for each id: HELD · OFFERED · WAITING · SKIPPED · LOST · UNTOLD where it is lost and the caller tells of so many
          others · ELSEWHERE where another run of the agent has it; with LOST the token is the last one that was given out
          when it was lost, or 0 where that is not known ·
          {"DEADLOCK", {agent, resource, agent that it waits for, …}} · {"FULL"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/deadlock.lua
--@include lua/passing.lua
if late() then return { 'LATE' } end
local run, how, leaseMs, longestMs, process = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[8]
local audited = audit(slot.audit, ARGV[7])
moveTime()
if how == 'renew' then redis.call('ZADD', slot.processes, whole(lockMs), process) end
local function namedAt(n)
  local isLook, id = string.match(ARGV[n], '^(!?)(.*)$')
  return id, isLook == '!'
end
if expireDue(200) then
  for n = 10, #ARGV do endIfDue(getRequest(namedAt(n))) end
end
handOn()
local along, hasPassed, toTell = {}, false, tonumber(ARGV[9])
local function renew(id, request, isLook)
  if not request or agentOf(request.run) ~= agentOf(run) or request.state == 'cooling' then
    if toTell == 0 then return 'UNTOLD' end
    toTell = toTell - 1
    return 'LOST', strikeUntold(run, id)
  end
  if how == 'touch' and request.run ~= run then return 'ELSEWHERE' end
  if request.state == 'waiting' then return request.skipped and not isCovered(request) and 'SKIPPED' or 'WAITING' end
  if request.state == 'offered' then return 'OFFERED' end
  if isLook then return 'HELD' end
  local ends = lockMs + (leaseMs or request.leaseMs)
  if how == 'touch' then ends = math.min(ends, request.base + longestMs)
  else request.base, request.leaseMs = lockMs, leaseMs or request.leaseMs end
  if how == 'renew' or ends > request.due then
    request.due = math.max(request.due, ends)
    putRequest(request)
  end
  return 'HELD'
end
local results = {}
for n = 10, #ARGV do
  local id, isLook = namedAt(n)
  local request = getRequest(id)
  if how == 'renew' and request and request.state == 'held' and request.run ~= run and agentOf(request.run) == agentOf(run) and not isHook(request.run) then
    local passed, circle = passTo(request, run, process)
    if not passed then
      unaudit(slot.audit, audited)
      tell(hasPassed)
      if circle then return { 'DEADLOCK', circle } end
      return { 'FULL' }
    end
    hasPassed = true
    for _, word in ipairs(passed) do along[#along + 1] = word end
  end
  local word, lastThen = renew(id, request, isLook)
  -- Nothing is renewed: it is refused, which has a row of its own, or the call goes on and has one then.
  if how == 'renew' and word ~= 'HELD' then unaudit(slot.audit, audited) end
  results[#results + 1] = id
  results[#results + 1] = word
  local isThere = request and word ~= 'LOST' and word ~= 'UNTOLD'
  results[#results + 1] = lastThen or isThere and whole(request.token) or '0'
  results[#results + 1] = isThere and request.due > 0 and asClock(endOf(request)) or '0'
  results[#results + 1] = isThere and request.due > 0 and asLeft(endOf(request)) or '0'
  results[#results + 1] = isThere and request.mode or ''
end
tell(hasPassed)
return { 'RENEWED', results, along }
