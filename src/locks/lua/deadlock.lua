-- Whether a wait would close a circle: from the run that asks to whoever it would wait for, to what those wait for, and
-- so on. What was passed over waits for nobody until it calls again, when it is looked at as what is asked for. Looks at
-- 200 requests at most, and compares so much, all searches of a script together; a longer chain is taken for open, and leases end in any case.
local function circleOf(request)
  local budget, from, seen, path = 200, compared, {}, {}
  local function search(waiting)
    budget = budget - 1
    if budget < 0 or isSearched(from) then return false end
    for _, blocker in ipairs(blockersOf(waiting)) do
      local other = blocker.request
      if not isNobodys(other) then
        path[#path + 1] = { from = waiting, resource = blocker.resource, to = other }
        if other.run == request.run then return true end
        if not seen[other.run] then
          seen[other.run] = true
          for id in string.gmatch(redis.call('HGET', slot.runs, other.run) or '', '%S+') do
            local theirs = getRequest(id)
            if isWaiting(theirs) and search(theirs) then return true end
          end
        end
        path[#path] = nil
      end
    end
    return false
  end
  if not isWaitedFor(request) then return nil end
  -- Whom it comes before may come before what its run waits for elsewhere, also where it has to wait for nobody itself.
  local isClosed = search(request)
  for id in string.gmatch(redis.call('HGET', slot.runs, request.run) or '', '%S+') do
    local own = not isClosed and id ~= request.id and getRequest(id)
    if isWaiting(own) then isClosed = search(own) end
  end
  noteSearched(from)
  if not isClosed then return nil end
  local circle = {}
  for _, step in ipairs(path) do
    circle[#circle + 1] = agentOf(step.from.run)
    circle[#circle + 1] = step.resource
    circle[#circle + 1] = agentOf(step.to.run)
  end
  return circle
end
