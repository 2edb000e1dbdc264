-- A lease, an offer or a place belongs to one run of its agent. It passes to another one that names it, as it is: with its
-- token, its place, its time; from then on it ends with that run. What an edit hook took stays with it: it is given back when
-- its turn ends.

local function move(request, run, process)
  if request.state ~= 'cooling' then
    strike(slot.runs, request.run, request.id)
    enter(slot.runs, run, request.id)
  end
  request.run, request.process = run, process
  if request.state == 'offered' then redis.call('HSET', slot.offers, request.id, process) end
  putRequest(request)
end
-- What passes with a request: all of its run that it would be in conflict with once it is of another run, but other places.
local function inseparable(request)
  local passing, seen, at = { request }, { [request.id] = true }, 0
  while at < #passing do
    at = at + 1
    local one = passing[at]
    nearby(one.resources, function(other)
      if other.run ~= request.run or seen[other.id] or other.state == 'waiting' or isOver(other) or other.mode == 's' and one.mode == 's' then return false end
      seen[other.id] = true
      passing[#passing + 1] = other
    end)
  end
  return passing
end
local function numberOf(run)
  local count = 0
  for _ in string.gmatch(redis.call('HGET', slot.runs, run) or '', '%S+') do count = count + 1 end
  return count
end
-- Passes a request to a run of the same agent, and tells the run that had it. Answers what passed with it besides, as {id,
-- token or 0, ends at ms, left ms, mode, resources on a line each, …}; where it stays where it is, nothing, and the circle of waits that it
-- would close, or nothing where that run has as much as it may.
local function passTo(request, run, process)
  if request.run == run then return {} end
  local passing, before, along = inseparable(request), {}, {}
  if numberOf(run) + #passing > limits.runMost then return nil end
  for n, one in ipairs(passing) do
    before[n] = { run = one.run, process = one.process }
    move(one, run, process)
  end
  -- Others that wait for it may be waited for by this run: one look from a wait of it goes through all of its waits.
  local circle
  for id in string.gmatch(redis.call('HGET', slot.runs, run), '%S+') do
    local own = getRequest(id)
    if isWaiting(own) then
      circle = circleOf(own)
      break
    end
  end
  if circle then
    for n, one in ipairs(passing) do move(one, before[n].run, before[n].process) end
    return nil, circle
  end
  for n, one in ipairs(passing) do
    hint(one.id)
    leaves(one.resources)
    restCovered(one)
    if n > 1 and one.state ~= 'cooling' then
      for _, word in ipairs({ one.id, whole(one.state == 'held' and one.token or 0), asClock(endOf(one)), asLeft(endOf(one)), one.mode, table.concat(one.resources, '\n') }) do
        along[#along + 1] = word
      end
    end
  end
  -- What was in the way of this run's other requests is its own now.
  handOn()
  return along
end
