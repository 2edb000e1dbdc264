-- Whether a wait may never end because somebody on the way waits for a message or a decision of one who waits in the same
-- circle, or has what its edit hooks reserved, which is given back when its turn ends, and no turn ends while a call of it
-- waits: a warning, since a message may yet come, and the call may be of another session. From a run that waits with a
-- request, or, without one, for what it awaits. Hints at whoever else waits in it for a lock, where it is news to them.
-- Answers its steps, {agent, resource, agent it waits for or run of an edit hook, …}, with an empty resource for a message
-- or a decision. Looks at 200 requests and runs at most, and compares so much; a longer chain is taken for open.
local function circleOfAwaited(run, request, isNews)
  local isOfHook = isHook(run)
  -- A hook does not wait for its turn.
  if request and isOfHook then return {} end
  local agent, budget, from, seen, path, runsOf = agentOf(run), 200, compared, {}, {}, nil
  local noted, awaitedBy, isAwaited = redis.call('HGETALL', slot.awaiting), {}, false
  -- Its own hooks count where somebody waits for what they have.
  local function isKept(other)
    if not isHook(other) or isSearched(from) then return true end
    for id in string.gmatch(redis.call('HGET', slot.runs, other) or '', '%S+') do
      local theirs = getRequest(id)
      if theirs and isInTheWay(theirs) then return true end
    end
    return false
  end
  for n = 1, #noted, 2 do
    awaitedBy[noted[n]] = noted[n + 1]
    isAwaited = isAwaited or noted[n + 1] == agent and isKept(noted[n])
  end
  if #noted == 0 or request and not isAwaited and not isWaitedFor(request) then
    noteSearched(from)
    return {}
  end
  local visit
  local function isSpent()
    budget = budget - 1
    return budget < 0 or isSearched(from)
  end
  local function step(waiting, resource, to, id)
    path[#path + 1] = { agentOf(waiting), resource, isHook(to) and to or agentOf(to), id }
  end
  local function back() path[#path] = nil end
  local function viaRequest(waiting)
    if isSpent() then return false end
    for _, blocker in ipairs(blockersOf(waiting)) do
      local other = blocker.request
      if not isNobodys(other) then
        step(waiting.run, blocker.resource, other.run, waiting.id)
        if other.run == run or visit(other.run) then return true end
        back()
      end
    end
    return false
  end
  local function viaAwaited(waiting)
    local awaited, isStep = awaitedBy[waiting], not isHook(waiting)
    if not awaited then return false end
    if isStep then step(waiting, '', awaited) end
    if awaited == agent and waiting ~= run and not isOfHook then return true end
    if not runsOf then
      runsOf = {}
      local function add(other)
        local whose = agentOf(other)
        runsOf[whose] = runsOf[whose] or {}
        if not isHook(other) then table.insert(runsOf[whose], other) end
      end
      for _, other in ipairs(redis.call('HKEYS', slot.runs)) do add(other) end
      for n = 1, #noted, 2 do add(noted[n]) end
    end
    for _, other in ipairs(runsOf[awaited] or {}) do if visit(other) then return true end end
    if isStep then back() end
    return false
  end
  function visit(other)
    if seen[other] or isSpent() then return false end
    seen[other] = true
    for id in string.gmatch(redis.call('HGET', slot.runs, other) or '', '%S+') do
      local theirs = getRequest(id)
      if isWaiting(theirs) and viaRequest(theirs) then return true end
    end
    return viaAwaited(other)
  end
  local isClosed
  if request then isClosed = viaRequest(request) else isClosed = viaAwaited(run) end
  noteSearched(from)
  local circle = {}
  for _, one in ipairs(isClosed and path or {}) do
    for n = 1, 3 do circle[#circle + 1] = one[n] end
    if isNews and one[4] and not (request and one[4] == request.id) then hint(one[4]) end
  end
  return circle
end
