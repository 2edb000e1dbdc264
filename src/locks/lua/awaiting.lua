-- Whether a wait may never end because somebody on the way waits for a message or a decision of one who waits in the same
-- circle: a warning, since it may yet come. From a run that waits with a request, or, without one, for what it awaits.
-- Answers its steps, {agent, resource, agent it waits for, …}, with an empty resource for a message or a decision. Looks
-- at 200 requests and runs at most; a longer chain is taken for open.
local function circleOfAwaited(run, request)
  if redis.call('HLEN', slot.awaiting) == 0 then return {} end
  local agent, budget, seen, path, runsOf = agentOf(run), 200, {}, {}, nil
  local visit
  local function isSpent()
    budget = budget - 1
    return budget < 0
  end
  local function step(from, resource, to)
    for _, word in ipairs({ from, resource, to }) do path[#path + 1] = word end
  end
  local function back() for _ = 1, 3 do path[#path] = nil end end
  local function viaRequest(waiting)
    if isSpent() then return false end
    for _, blocker in ipairs(blockersOf(waiting)) do
      local other = blocker.request
      if other.state ~= 'cooling' then
        step(agentOf(waiting.run), blocker.resource, agentOf(other.run))
        if other.run == run or visit(other.run) then return true end
        back()
      end
    end
    return false
  end
  local function viaMessage(waiting)
    local awaited = redis.call('HGET', slot.awaiting, waiting)
    if not awaited then return false end
    step(agentOf(waiting), '', awaited)
    if awaited == agent and waiting ~= run then return true end
    if not runsOf then
      runsOf = {}
      for _, other in ipairs(redis.call('HKEYS', slot.runs)) do
        local whose = agentOf(other)
        runsOf[whose] = runsOf[whose] or {}
        table.insert(runsOf[whose], other)
      end
    end
    for _, other in ipairs(runsOf[awaited] or {}) do if visit(other) then return true end end
    back()
    return false
  end
  function visit(other)
    if seen[other] or isSpent() then return false end
    seen[other] = true
    for id in string.gmatch(redis.call('HGET', slot.runs, other) or '', '%S+') do
      local theirs = getRequest(id)
      if theirs and theirs.state == 'waiting' and viaRequest(theirs) then return true end
    end
    return viaMessage(other)
  end
  local isClosed
  if request then isClosed = viaRequest(request) else isClosed = viaMessage(run) end
  return isClosed and path or {}
end
