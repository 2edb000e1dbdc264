-- Who waits for whom, and who is next: the only place where a lease begins, is offered, or ends by time.
local hints, away, tentative = {}, {}, nil
local function hint(id) hints[#hints + 1] = id end
local function comesBefore(a, b)
  local scoreA = a.arrival - a.priority * limits.ageingMs * 1000
  local scoreB = b.arrival - b.priority * limits.ageingMs * 1000
  if scoreA ~= scoreB then return scoreA < scoreB end
  return a.arrival < b.arrival
end
-- Resources by where is looked for what overlaps them, with how their last segments begin and end, as far as all of them say
-- that: what ends otherwise overlaps none.
local metKnown = {}
local function groupsOf(resources)
  local groups, groupAt = {}, {}
  metKnown[resources] = metKnown[resources] or {}
  local metBy = metKnown[resources]
  for _, resource in ipairs(resources) do
    local ids = nearIds(resource)
    local group = groupAt[ids]
    if not group then
      -- What was found of a request stays true, by the first resource of the group: no request ever asks for something else.
      metBy[resource] = metBy[resource] or {}
      group = {
        ids = ids, resources = {}, headLength = math.huge, tailLength = math.huge, heads = {}, tails = {}, ends = {},
        met = metBy[resource],
      }
      groupAt[ids] = group
      groups[#groups + 1] = group
    end
    group.resources[#group.resources + 1] = resource
    local form = formOf(resource)
    group.headLength = math.min(group.headLength, #form.head)
    group.tailLength = math.min(group.tailLength, #form.tail)
  end
  for _, group in ipairs(groups) do
    for _, resource in ipairs(group.resources) do
      local form = formOf(resource)
      group.heads[string.sub(form.head, 1, group.headLength)] = true
      group.tails[string.sub(form.tail, #form.tail - group.tailLength + 1)] = true
    end
  end
  return groups
end
-- Whether one of a group can end as another resource does.
local function endsLikeOne(group, other)
  local form = formOf(other)
  local known = group.ends[form.ending]
  if known ~= nil then return known end
  local isLike = (#form.head < group.headLength or group.heads[string.sub(form.head, 1, group.headLength)] or false)
    and (#form.tail < group.tailLength or group.tails[string.sub(form.tail, #form.tail - group.tailLength + 1)] or false)
  group.ends[form.ending] = isLike
  return isLike
end
-- How much may be compared, see overlap.lua: with all that is around what is asked for, and with one other request; where
-- there is only a look; by all searches of a script for circles; and each time that it hands on. It is so much that what a
-- script does is ended by these, and by no engine: a step takes 30 instructions of Lua mostly and 70 with the dearest
-- patterns, so that the most of these is 105 million, 2.5 % of what the embedded engine lets a script take.
local wideMost, wideMostOfOne, lookMost, searchMost, handMost = 500000, 10000, 1500000, 300000, 100000
local searched = 0
local function isSearched(from) return searched + compared - from > searchMost end
local function noteSearched(from) searched = searched + compared - from end
-- The first of the resources of a group that overlaps one of a request.
local function commonOf(group, request)
  local met = group.met[request.id]
  if met ~= nil then return met end
  local found, others = false, {}
  if not group.resources[2] then others = request.resources
  else
    compared = compared + #request.resources
    for _, other in ipairs(request.resources) do if endsLikeOne(group, other) then others[#others + 1] = other end end
  end
  for _, resource in ipairs(others[1] and group.resources or {}) do
    for _, other in ipairs(others) do
      if overlaps(resource, other) then
        found = resource
        break
      end
    end
    if found then break end
  end
  group.met[request.id] = found
  return found
end
-- Whoever asked for something that overlaps one of the resources, each once, with the resource it overlaps. Answers whether
-- it ended because so much was compared.
local function nearby(resources, each, most, mostOfOne)
  local seen, from = {}, compared
  for _, group in ipairs(groupsOf(resources)) do
    local ids, count = group.ids, #group.ids
    for n = 1, count + 1 do
      local before, id = compared, n > count and tentative or ids[n]
      local request = id and not seen[id] and getRequest(id)
      local resource = request and commonOf(group, request)
      if most and (compared - from > most or compared - before > mostOfOne) then return true end
      if resource then
        seen[id] = true
        if each(request, resource) then return false end
      end
    end
  end
  return false
end
-- Whether some resources mean so much that they cannot be compared with all that is around them: then that is refused, before
-- anything is done.
local function areTooWide(resources) return nearby(resources, function() return false end, wideMost, wideMostOfOne) end
-- Whether somebody is there to take what a request gets: its process beats, and does not say that its client is gone.
local function isAlive(request)
  if redis.call('SISMEMBER', slot.absent, request.run) == 1 then return false, 0 end
  local beatAt = redis.call('ZSCORE', slot.processes, request.process)
  return beatAt and lockMs - tonumber(beatAt) < limits.aliveMs, tonumber(beatAt or '0')
end
local function offerDue(request)
  local isLiving, beatAt = isAlive(request)
  local patient = request.base + limits.offerMs
  local hasty = math.max(request.base + limits.deadOfferMs, isLiving and beatAt + limits.aliveMs or 0)
  return math.min(patient, hasty)
end
-- What is over and not ended yet, see expireDue, is nobody's and keeps nobody off; a lease only where nothing has to rest
-- after it.
local function isFree(request)
  if request.state == 'waiting' or request.due > lockMs then return false end
  if request.state == 'offered' then return offerDue(request) <= lockMs end
  return request.state == 'cooling' or (request.restMs or limits.delayMs) == 0
end
-- What an edit hook has keeps off other agents, and no run of its own agent: nor does what these have keep it off.
local function isOfOwnHook(other, request)
  return (isHook(other.run) or isHook(request.run)) and agentOf(other.run) == agentOf(request.run)
end
local function standsBefore(other, request)
  if other.id == request.id then return false end
  if isFree(other) then return false end
  -- What rests is kept off everybody: whoever lost it is the likeliest to write late.
  if other.state ~= 'cooling' and (other.run == request.run or isOfOwnHook(other, request)) then return false end
  if other.mode == 's' and request.mode == 's' then return false end
  if other.state == 'waiting' then return not other.skipped and comesBefore(other, request) end
  return true
end
-- A lease that is over and not ended yet: its run has it no more.
local function isOver(request) return request.state == 'held' and request.due <= lockMs end
-- Whether it waits for others: what was passed over does not, until it calls again.
local function isWaiting(request) return request and request.state == 'waiting' and not request.skipped end
-- Those that a request has to wait for; only the first one found when asked so.
local function blockersOf(request, isOneEnough)
  local blockers = {}
  nearby(request.resources, function(other, resource)
    if not standsBefore(other, request) then return false end
    blockers[#blockers + 1] = { request = other, resource = resource }
    return isOneEnough
  end)
  return blockers
end
-- Whether somebody waits for a request.
local function isInTheWay(request)
  local isFound = false
  nearby(request.resources, function(other)
    isFound = isWaiting(other) and other.run ~= request.run and standsBefore(request, other)
    return isFound
  end)
  return isFound
end
-- Whether its run has nothing else: it is not entered yet, or alone.
local function isAlone(request)
  return (redis.call('HGET', slot.runs, request.run) or request.id) == request.id
end
-- Whether anybody may wait for the run of a request: not where it has nothing else, and comes before nobody.
local function isWaitedFor(request) return not isAlone(request) or isInTheWay(request) end
-- What runs lost that they were not told, a line each, as noteUntold has them: read once, and put once at the end of a script,
-- however much of it changes.
local untold, newSessions = {}, 0
local function untoldOf(run)
  if not untold[run] then
    local lines = {}
    for line in string.gmatch(redis.call('HGET', slot.untold, run) or '', '[^\n]+') do lines[#lines + 1] = line end
    untold[run] = { lines = lines, isChanged = false }
  end
  return untold[run]
end
local function changeUntold(run, lines) untold[run] = { lines = lines, isChanged = true } end
-- An edit hook edits again what it lost: when that was, where anybody but its own session was granted anything since, so that
-- it may have been changed. Without it a note of what may not have been changed stays.
local function lostBefore(request, lastBefore, lastNow, isHeld)
  local before = untoldOf(request.run).lines
  if #before == 0 then return nil end
  local resources, kept, lostAt = table.concat(request.resources, '\t'), {}, nil
  for _, line in ipairs(before) do
    local at, token, lost = string.match(line, '^(%d+)|(%d+)\t(.*)$')
    local isUnchanged = token == whole(lastBefore)
    if lost ~= resources then
      kept[#kept + 1] = at .. '|' .. (isUnchanged and whole(lastNow) or token) .. '\t' .. lost
    elseif not isUnchanged then lostAt = at
    elseif not isHeld then kept[#kept + 1] = line end
  end
  changeUntold(request.run, kept)
  return lostAt
end
-- Who lost a lease, and who was granted what it was on since: by the anchors of the index, a line each, newest first, "what|agent|
-- mode|token|at, ms of the store's clock" and the resource behind a tab, with l for a loss, whose token is the last one given out
-- by then, and g for a grant. Of each agent and resource there is the newest of both; who gets again what it lost, lost nothing.
-- Beyond the newest grants those are kept whose agent lost something around them: it may have taken again a part of that.
-- Grants are noted while a loss is remembered, and not where nobody lost anything for a day. Losses of hooks are told by their
-- sessions.
local sinceKeptMs, sinceMost = 86400000, 16
-- By field, read once and put once at the end of a script.
local since, newSince, isLossNew = {}, 0, false
-- As forgetOldSessions does, one round after another.
local function forgetOldSince()
  local from = redis.call('HGET', slot.meta, 'lookedSince') or '0'
  local page, seen = redis.call('HSCAN', slot.since, from, 'COUNT', newSince * 4 + 20), {}
  redis.call('HSET', slot.meta, 'lookedSince', page[1])
  for n = 1, #page[2], 2 do
    seen[#seen + 1] = { field = page[2][n], at = tonumber(string.match(page[2][n + 1], '^[^\t]*|(%d+)\t') or '0') }
  end
  table.sort(seen, function(a, b) return a.at < b.at end)
  local tooMany = redis.call('HLEN', slot.since) - limits.requestsMost
  for n, one in ipairs(seen) do
    if n <= tooMany or one.at < nowMs - sinceKeptMs then redis.call('HDEL', slot.since, one.field) end
  end
end
-- Who is remembered to have lost something around an anchor.
local function losersAround(anchor, kind)
  local fields, losers = fieldsAround(anchor, kind), {}
  for n, text in ipairs(redis.call('HMGET', slot.since, unpack(fields))) do
    for line in string.gmatch(since[fields[n]] or text or '', '[^\n]+') do
      local loser = string.match(line, '^l|([^|]*)|')
      if loser then losers[loser] = true end
    end
  end
  return losers
end
local function noteSince(what, request)
  if what == 'l' and isHook(request.run) or what == 'g' and lockMs >= lostUntil then return end
  local agent = agentOf(request.run)
  local head = table.concat({ what, agent, request.mode, whole(lastToken), asClock(math.min(request.due, lockMs)) }, '|')
  for _, resource in ipairs(request.resources) do
    local anchor, kind = anchorOf(resource)
    local field = kind .. anchor
    local text = since[field] or redis.call('HGET', slot.since, field)
    local lines, counts, losers = { head .. '\t' .. resource }, { l = 0, g = 0, again = 0 }, nil
    counts[what] = 1
    for line in string.gmatch(text or '', '[^\n]+') do
      local before, other, its = string.match(line, '^(%a)|([^|]*)|[^\t]*\t(.*)$')
      local isOld = other == agent and its == resource and (what == 'g' or before == 'l')
      local as = before
      if not isOld and before == 'g' and counts.g >= sinceMost then
        losers = losers or losersAround(anchor, kind)
        if losers[other] then as = 'again' end
      end
      if not isOld and counts[as] < sinceMost then
        counts[as] = counts[as] + 1
        lines[#lines + 1] = line
      end
    end
    since[field] = table.concat(lines, '\n')
    if not text then newSince = newSince + 1 end
  end
  if what == 'l' then lostUntil, isLossNew = lockMs + sinceKeptMs, true end
end
local function putSince()
  local words = {}
  local function put()
    if #words > 0 then redis.call('HSET', slot.since, unpack(words)) end
    words = {}
  end
  for field, text in pairs(since) do
    words[#words + 1] = field
    words[#words + 1] = text
    if #words == 1000 then put() end
  end
  put()
  since = {}
  if isLossNew then redis.call('HSET', slot.meta, 'lostUntil', whole(lostUntil)) end
  if newSince > 0 then forgetOldSince() end
  newSince, isLossNew = 0, false
end
local function hold(request)
  dropNotice(request)
  local lastBefore = lastToken
  if isBehind and not tokenBefore then
    tokenBefore = lastToken
    redis.call('HSET', slot.meta, 'before', whole(lastToken))
  end
  request.state, request.skipped = 'held', false
  request.token, request.base, request.due = nextToken(), lockMs, lockMs + request.leaseMs
  request.restMs = limits.delayMs
  redis.call('HDEL', slot.offers, request.id)
  noteSince('g', request)
  if isHook(request.run) then request.lostAt = lostBefore(request, lastBefore, lastToken, true) end
end
-- The leases of a run that cover all of some resources, each with what it covers; nothing when some of it is not held, or
-- not as strongly. Of several that cover one resource it is the newest: what was written under it refuses the older ones.
local function coveringOf(run, resources, mode)
  local found, leases = {}, {}
  for _, resource in ipairs(resources) do
    local newest
    nearby({ resource }, function(other)
      if other.run ~= run or other.state ~= 'held' or other.due <= lockMs or other.mode == 's' and mode == 'x' then return false end
      for _, own in ipairs(other.resources) do
        if covers(own, resource) and (not newest or other.token > newest.token) then newest = other end
      end
      return false
    end)
    if not newest then return nil end
    if not found[newest.id] then
      found[newest.id] = { request = newest, covers = {} }
      leases[#leases + 1] = found[newest.id]
    end
    table.insert(found[newest.id].covers, resource)
  end
  return leases
end
-- Of a place or an offer, the leases of its run that cover all of it.
local function heldOf(request)
  return not isAlone(request) and coveringOf(request.run, request.resources, request.mode) or nil
end
-- Whether it is a place that was passed over because its run holds all of it: of that there is nothing to tell.
local function isCovered(request)
  return request.state == 'waiting' and request.skipped and heldOf(request) ~= nil
end
-- What rests or is over is free by itself, whatever its last holder waits for; so is an offer whose turn is over.
local function isNobodys(request)
  if request.state == 'offered' then return request.due <= lockMs and offerDue(request) <= lockMs end
  return request.state == 'cooling' or isOver(request)
end
-- When it ends, as others are told: an offer lasts its whole time while its process beats, although a silent one is passed
-- over before.
local function endOf(request)
  if request.state ~= 'offered' then return request.due end
  return isAlive(request) and request.base + limits.offerMs or offerDue(request)
end
local function offer(request)
  dropNotice(request)
  request.state, request.base = 'offered', lockMs
  request.due = offerDue(request)
  putRequest(request)
  redis.call('HSET', slot.offers, request.id, request.process)
  if request.notify ~= '' then
    redis.call('HSET', slot.notices, noticeOf(request),
      table.concat({ agentOf(request.run), request.notify, asClock(endOf(request)), table.concat(request.resources, '\n') }, '|'))
  end
  hint(request.id)
end
local function leaves(resources)
  for _, resource in ipairs(resources) do away[#away + 1] = resource end
end
-- Its turn is over; its place stays, and it stands before nobody until it calls again. A call that waits is woken for it.
local function skip(request)
  request.state, request.skipped, request.due = 'waiting', true, 0
  putRequest(request)
  redis.call('HDEL', slot.offers, request.id)
  leaves(request.resources)
  hint(request.id)
end
-- Places of a run, around one of its requests, for what it holds by now: it is offered none of that, and they stand in
-- nobody's way, until it calls with one when it holds that no more.
local function restCovered(request)
  if isAlone(request) then return end
  nearby(request.resources, function(other)
    if other.run == request.run and (isWaiting(other) or other.state == 'offered') and heldOf(other) then
      dropNotice(other)
      skip(other)
    end
  end)
end
local function finish(request)
  removeRequest(request)
  leaves(request.resources)
end
-- A lease that was not given back: what it protected rests for a while, where so configured, before the next one gets it.
local function expire(request)
  hint(request.id)
  local restMs = request.restMs or limits.delayMs
  if restMs == 0 then return finish(request) end
  request.state, request.due = 'cooling', lockMs + restMs
  strike(slot.runs, request.run, request.id)
  putRequest(request)
  -- What its own agent was offered of it meanwhile waits for that as well, by its next call.
  if redis.call('HLEN', slot.offers) == 0 then return end
  nearby(request.resources, function(other)
    if other.state == 'offered' and standsBefore(request, other) then
      dropNotice(other)
      skip(other)
    end
  end)
end
-- What a run lost while it went on, until it is told: a line each, as in lua/losses.lua, but that the last token that was given
-- out by then stands after the id. A hook is told when its session edits that again: its line begins with when it was lost, ms
-- of the store's clock, and that token. What another run of the agent gave back is no loss of the agent. What ends late, since
-- much else had to, may have been granted to others before: it is noted with the last token from before the first such grant.
local function noteUntold(request, isGiven)
  local isOfHook = isHook(request.run)
  if isOfHook and request.state ~= 'held' then return end
  if request.state == 'held' and not isGiven then noteSince('l', request) end
  local note = untoldOf(request.run)
  if #note.lines >= limits.runMost then return end
  if isOfHook and #note.lines == 0 then newSessions = newSessions + 1 end
  local what = isGiven and 'given' or request.state == 'held' and 'held' or 'waiting'
  local head = isOfHook and asClock(math.min(request.due, lockMs)) or what .. '|' .. request.id
  local token = tokenBefore and request.state == 'held' and request.due <= lockMs and math.max(tokenBefore, request.token) or lastToken
  note.lines[#note.lines + 1] = head .. '|' .. whole(token) .. '\t' .. table.concat(request.resources, '\t')
  note.isChanged = true
end
-- Answers the last token that was given out when it was lost, or nothing where nobody noted that. A hook is told otherwise.
local function strikeUntold(run, id)
  if isHook(run) then return nil end
  local note = untoldOf(run)
  for n, line in ipairs(note.lines) do
    local other, token = string.match(line, '^%a+|([^|\t]+)|?(%d*)')
    if other == id then
      table.remove(note.lines, n)
      note.isChanged = true
      return token ~= '' and token or nil
    end
  end
  return nil
end
-- Sessions that never came to an end keep their notes for a day, and as many of them as there may be requests. Where some are
-- new a few times as many are looked at, one round after another: so what is old goes with time, and no script looks at all.
local function forgetOldSessions()
  local from = redis.call('HGET', slot.meta, 'looked') or '0'
  local page, seen = redis.call('HSCAN', slot.untold, from, 'COUNT', newSessions * 4 + 20), {}
  redis.call('HSET', slot.meta, 'looked', page[1])
  for n = 1, #page[2], 2 do
    local lostAt = isHook(page[2][n]) and string.match(page[2][n + 1], '^%d+')
    if lostAt then seen[#seen + 1] = { run = page[2][n], lostAt = tonumber(lostAt) } end
  end
  table.sort(seen, function(a, b) return a.lostAt < b.lostAt end)
  local tooMany = redis.call('HLEN', slot.untold) - limits.requestsMost
  for n, one in ipairs(seen) do
    if n <= tooMany or one.lostAt < nowMs - 86400000 then redis.call('HDEL', slot.untold, one.run) end
  end
end
local function putUntold()
  for run, note in pairs(untold) do
    if note.isChanged and #note.lines == 0 then redis.call('HDEL', slot.untold, run)
    elseif note.isChanged then redis.call('HSET', slot.untold, run, table.concat(note.lines, '\n') .. '\n') end
  end
  untold = {}
  if newSessions > 0 then forgetOldSessions() end
  newSessions = 0
end
-- Ends a request whose time is over: a lease, a rest, or an offer, unless its process beat since. handOn has to come after it.
local function endDue(request)
  if request.state == 'held' then
    noteUntold(request)
    expire(request)
  elseif request.state == 'cooling' then finish(request)
  elseif request.state == 'offered' then
    local due = offerDue(request)
    if due <= lockMs then skip(request)
    else
      request.due = due
      putRequest(request)
    end
  end
end
local function endIfDue(request)
  if request and request.state ~= 'waiting' and request.due <= lockMs then endDue(request) end
end
-- Ends what is due, so many at most. Answers whether there may be more, which later scripts end: then a script ends besides what
-- it is about, so that it takes nothing for what it was before its time was over, and the rest keeps nobody off, see isFree.
local function expireDue(most)
  local ids, from = redis.call('ZRANGEBYSCORE', slot.due, '-inf', whole(lockMs), 'LIMIT', 0, most), compared
  isBehind = #ids == most
  for _, id in ipairs(ids) do
    if compared - from > handMost then
      isBehind = true
      break
    end
    local request = getRequest(id)
    if request then endDue(request) else redis.call('ZREM', slot.due, id) end
  end
  if tokenBefore and not isBehind then
    tokenBefore = nil
    redis.call('HDEL', slot.meta, 'before')
  end
  return isBehind
end
-- Those that wait for something that overlaps one of the resources, and were not passed over. Of a resource that has more
-- around it than wait at all, these are looked at.
local function noteWaitersFor(resources, note)
  local few, many = {}, {}
  local count = redis.call('ZCOUNT', slot.due, waitingScore, '+inf')
  if count == 0 then return end
  for _, resource in ipairs(resources) do table.insert(#nearIds(resource) > count and many or few, resource) end
  nearby(few, note)
  if #many == 0 then return end
  local ids = redis.call('ZRANGEBYSCORE', slot.due, waitingScore, '+inf')
  loadRequests(ids)
  for _, group in ipairs(groupsOf(many)) do
    for _, id in ipairs(ids) do
      local request = getRequest(id)
      if request and commonOf(group, request) then note(request) end
    end
  end
end
-- What is handed on by a later script, since much was compared in this one: what went away and nobody was looked for yet, and
-- who is still to be looked at. Kept with lock time, in lines and words.
local function keepUnhanded(waiters)
  local ids = {}
  for n, waiter in ipairs(waiters) do ids[n] = waiter.id end
  local gone, unseen = table.concat(away, '\n'), table.concat(ids, ' ')
  if gone == unhanded.gone and unseen == unhanded.unseen then return end
  unhanded = { gone = gone, unseen = unseen }
  if gone == '' and unseen == '' then redis.call('HDEL', slot.meta, 'gone', 'unseen')
  else redis.call('HSET', slot.meta, 'gone', gone, 'unseen', unseen) end
end
-- Looks at those that wait for what went away, in their order. Each round but the last passes by somebody who is gone,
-- whose place may have kept others waiting for other things. Where much is compared it ends, and a later script goes on.
local function handOn()
  local offered, from, waiters, isIn = {}, compared, {}, {}
  local function isSpent() return compared - from > handMost end
  local function note(request)
    if isIn[request.id] or not isWaiting(request) or request.id == tentative then return end
    isIn[request.id] = true
    waiters[#waiters + 1] = request
  end
  if unhanded.gone ~= '' then
    -- What this script left there itself is in both.
    local isThere = {}
    for _, resource in ipairs(away) do isThere[resource] = true end
    for resource in string.gmatch(unhanded.gone, '[^\n]+') do if not isThere[resource] then away[#away + 1] = resource end end
  end
  for id in string.gmatch(unhanded.unseen, '%S+') do
    local request = getRequest(id)
    if request then note(request) end
  end
  for _ = 1, limits.requestsMost do
    if #away == 0 and #waiters == 0 then break end
    -- So many at once, that it can end in between.
    while #away > 0 and not isSpent() do
      local resources = {}
      for n = #away, math.max(#away - 15, 1), -1 do
        resources[#resources + 1] = away[n]
        away[n] = nil
      end
      noteWaitersFor(resources, note)
    end
    table.sort(waiters, comesBefore)
    local seen = 0
    for n, waiter in ipairs(waiters) do
      if n > 1 and isSpent() then break end
      seen = n
      if #blockersOf(waiter, true) == 0 then
        if isAlive(waiter) and not heldOf(waiter) then
          offer(waiter)
          offered[#offered + 1] = agentOf(waiter.run)
        else skip(waiter) end
      end
    end
    local left = {}
    isIn = {}
    for n = seen + 1, #waiters do
      left[#left + 1] = waiters[n]
      isIn[waiters[n].id] = true
    end
    waiters = left
    if isSpent() then break end
  end
  keepUnhanded(waiters)
  return offered
end
-- The last step of a script that changes something. What listeners are told: whose turn it is, who lost something; and to whoever watches, that something changed.
local function tell(isChanged)
  putUntold()
  putSince()
  if #hints > 0 then redis.call('PUBLISH', slot.channel, table.concat(hints, ' ')) end
  if isChanged or #hints > 0 then redis.call('PUBLISH', slot.changes, '1') end
end
local function nextDueMs()
  if unhanded.gone ~= '' or unhanded.unseen ~= '' then return '0' end
  local first = redis.call('ZRANGE', slot.due, 0, 0, 'WITHSCORES')
  local due = tonumber(first[2] or waitingScore)
  return due >= tonumber(waitingScore) and '-1' or whole(math.max(due - lockMs, 0))
end
