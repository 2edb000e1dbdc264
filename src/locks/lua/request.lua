-- The record of a request: one agent's lease, offer, place in the queue, or the pause after a lease that ran out.
-- "run|process|mode|priority|arrival|lease ms|state|token|due|base|flags|notify|call|rest ms", then its resources, a line each.
-- due: when lock time does something with it; base: when it was granted, renewed or offered; flags: s for skipped;
-- notify: where its agent wants to be told of its turn besides, an address, or empty; rest: how long its resources rest when
-- it runs out, as the process wants it that took it.
local known = {}
local waitingScore = '9000000000000000'
local function agentOf(run) return string.match(run, '^([^/]*)') end
-- Whether a run is a session of a client for which edit hooks reserve, see guard-run.ts.
local hookRun = '^[^/]*/guard%-' .. string.rep('[%w_-]', 16) .. '$'
local hooks = {}
local function isHook(run)
  if hooks[run] == nil then hooks[run] = string.find(run, hookRun) ~= nil end
  return hooks[run]
end
local function parseRequest(id, text)
  local run, process, mode, priority, arrival, leaseMs, state, token, due, base, flags, notify, call, restMs, lines = string.match(
    text, '^([^|]*)|([^|]*)|(%a)|(%d+)|(%d+)|(%d+)|(%a+)|(%d+)|(%d+)|(%d+)|(%a*)|([^|]*)|([^|\n]*)|?(%d*)\n(.*)$')
  local resources = {}
  for resource in string.gmatch(lines, '[^\n]+') do resources[#resources + 1] = resource end
  return {
    id = id, run = run, process = process, mode = mode, priority = tonumber(priority), arrival = tonumber(arrival),
    leaseMs = tonumber(leaseMs), state = state, token = tonumber(token), due = tonumber(due), base = tonumber(base),
    skipped = flags == 's', notify = notify, call = call, restMs = tonumber(restMs), resources = resources,
  }
end
local function getRequest(id)
  if known[id] == nil then
    local text = redis.call('HGET', slot.requests, id)
    known[id] = text and parseRequest(id, text) or false
  end
  return known[id] or nil
end
-- Reads many at once; those that are read already stay as they are.
local function loadRequests(ids)
  local unread = {}
  local function fetch()
    local texts = redis.call('HMGET', slot.requests, unpack(unread))
    for n, id in ipairs(unread) do known[id] = texts[n] and parseRequest(id, texts[n]) or false end
    unread = {}
  end
  for _, id in ipairs(ids) do
    if known[id] == nil then
      known[id] = false
      unread[#unread + 1] = id
      if #unread == 1000 then fetch() end
    end
  end
  if #unread > 0 then fetch() end
end
local function putRequest(request)
  redis.call('HSET', slot.requests, request.id, table.concat({
    request.run, request.process, request.mode, request.priority, whole(request.arrival), whole(request.leaseMs),
    request.state, whole(request.token), whole(request.due), whole(request.base), request.skipped and 's' or '',
    request.notify, request.call, request.restMs and whole(request.restMs) or '' }, '|') .. '\n' .. table.concat(request.resources, '\n'))
  redis.call('ZADD', slot.due, request.state == 'waiting' and waitingScore or whole(request.due), request.id)
end

-- The index: under the anchor of a resource, its segments before the first wildcard, the ids of who asked for it.
local function anchorOf(resource)
  local star = string.find(resource, '*', 1, true)
  if not star then return resource .. '/', 'l|' end
  return string.match(string.sub(resource, 1, star - 1), '^(.*/)') or '', 'p|'
end
local function listed(ids, id) return string.find(' ' .. ids .. ' ', ' ' .. id .. ' ', 1, true) ~= nil end
local function without(ids, id)
  local kept = {}
  for other in string.gmatch(ids, '%S+') do if other ~= id then kept[#kept + 1] = other end end
  return table.concat(kept, ' ')
end
-- What nearIds found, by where it looked, until the index changes.
local nearKnown = {}
local function enter(key, field, id)
  local ids = redis.call('HGET', key, field)
  if ids and listed(ids, id) then return false end
  redis.call('HSET', key, field, ids and ids .. ' ' .. id or id)
  if key == slot.index then nearKnown = {} end
  -- What a hook has is given back when the turn of its agent ends: it waits for that, as others wait for a message.
  if key == slot.runs and isHook(field) then redis.call('HSET', slot.awaiting, field, agentOf(field)) end
  return not ids
end
local function strike(key, field, id)
  local ids = redis.call('HGET', key, field)
  if not ids then return false end
  if key == slot.index then nearKnown = {} end
  local kept = without(ids, id)
  if kept ~= '' then redis.call('HSET', key, field, kept) return false end
  redis.call('HDEL', key, field)
  if key == slot.runs and isHook(field) then redis.call('HDEL', slot.awaiting, field) end
  return true
end
local function addRequest(request)
  known[request.id] = request
  putRequest(request)
  enter(slot.runs, request.run, request.id)
  for _, resource in ipairs(request.resources) do
    local anchor, kind = anchorOf(resource)
    if enter(slot.index, kind .. anchor, request.id) then redis.call('ZADD', slot.anchors, 0, anchor) end
  end
end
-- Of a turn that was told to nobody yet: by request and by the instant of its offer.
local function noticeOf(request) return request.id .. ' ' .. whole(request.base) end
local function dropNotice(request)
  if request.notify ~= '' then redis.call('HDEL', slot.notices, noticeOf(request)) end
end
local function removeRequest(request)
  known[request.id] = false
  dropNotice(request)
  redis.call('HDEL', slot.requests, request.id)
  redis.call('ZREM', slot.due, request.id)
  redis.call('HDEL', slot.offers, request.id)
  strike(slot.runs, request.run, request.id)
  for _, resource in ipairs(request.resources) do
    local anchor, kind = anchorOf(resource)
    if strike(slot.index, kind .. anchor, request.id) then
      local other = kind == 'l|' and 'p|' or 'l|'
      if redis.call('HEXISTS', slot.index, other .. anchor) == 0 then redis.call('ZREM', slot.anchors, anchor) end
    end
  end
end
-- The fields in which all is that lies around a resource, itself among them: patterns above, and the same name.
local function fieldsAround(anchor, kind)
  local fields, at = { 'p|' }, string.find(anchor, '/', 1, true)
  while at do
    fields[#fields + 1] = 'p|' .. string.sub(anchor, 1, at)
    at = string.find(anchor, '/', at + 1, true)
  end
  if kind == 'l|' then fields[#fields + 1] = 'l|' .. anchor end
  return fields
end
-- Ids of whoever may have asked for something that overlaps: patterns above, the same name, and what lies below. They are
-- read already. Nobody changes the list.
local function nearIds(resource)
  local anchor, kind = anchorOf(resource)
  local found = nearKnown[kind .. anchor]
  if found then return found end
  local fields = fieldsAround(anchor, kind)
  if kind == 'p|' then
    local low, high = '-', '+'
    if anchor ~= '' then low, high = '[' .. anchor, '(' .. string.sub(anchor, 1, -2) .. '0' end
    for _, below in ipairs(redis.call('ZRANGEBYLEX', slot.anchors, low, high)) do
      fields[#fields + 1] = 'l|' .. below
      if below ~= anchor then fields[#fields + 1] = 'p|' .. below end
    end
  end
  local ids, seen = {}, {}
  for from = 1, #fields, 1000 do
    local lists = redis.call('HMGET', slot.index, unpack(fields, from, math.min(from + 999, #fields)))
    for n = 1, math.min(1000, #fields - from + 1) do
      for id in string.gmatch(lists[n] or '', '%S+') do
        if not seen[id] then seen[id] = true ids[#ids + 1] = id end
      end
    end
  end
  loadRequests(ids)
  nearKnown[kind .. anchor] = ids
  return ids
end
