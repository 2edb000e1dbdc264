-- A request for an approval, as words separated by "|"; what it asks is apart and opaque.
-- ARGV[2]: how long requests are kept and an approval can be used, ms, how many may wait in all and of one agent; and the
-- audit row of what time alone does, with @ID@ for the request and @WHY@ for what became of it.
-- stage: 0 opened, 1 its approvers were told, 2 escalated, 3 those were told too; an even one has still to be told.
-- digest: of the question and, after a colon, of its terms; a request stands under the question alone.
-- chosen: digest of what was approved instead, counted: whose votes decided, usable: until when it can be used, or 0
-- claim: operation that holds it and is about to use it, or empty; holders: attempts of that, counted as a use after
-- claimUntil
local fields = {
  'state', 'agent', 'digest', 'opened', 'expires', 'otherwise', 'quorum', 'byClient', 'stage', 'approvers', 'escalateAt',
  'escalateTo', 'ended', 'usable', 'chosen', 'counted', 'used', 'claim', 'claimUntil', 'holders',
}
local numeric = {
  opened = true, expires = true, quorum = true, stage = true, escalateAt = true, ended = true, usable = true, used = true,
  claimUntil = true,
}
local keepMs, usableMs, mostPending, mostOfAgent, ofTime = string.match(ARGV[2], '^(%d+),(%d+),(%d+),(%d+),(.*)$')
keepMs, usableMs, mostPending, mostOfAgent = tonumber(keepMs), tonumber(usableMs), tonumber(mostPending), tonumber(mostOfAgent)
local retellMs = 30000
local function readRequest(text)
  local request, n = { claim = '', claimUntil = 0, holders = '' }, 0
  for word in string.gmatch(text .. '|', '([^|]*)|') do
    n = n + 1
    if fields[n] then request[fields[n]] = numeric[fields[n]] and tonumber(word) or word end
  end
  return request
end
local function writeRequest(request)
  local words = {}
  for n, name in ipairs(fields) do words[n] = numeric[name] and whole(request[name]) or request[name] end
  return table.concat(words, '|')
end
local function named(row, id, why) return (string.gsub(string.gsub(row, '@ID@', id), '@WHY@', why)) end
-- Only what a decision or an expiry let pass, and nobody has used: a person may have approved other arguments.
local function isUsable(request)
  return request.claim == '' and request.usable > nowMs and (request.state == 'approved' or request.state == 'expired')
end
local function keepRequest(id, request)
  redis.call('HSET', slot.requests, id, writeRequest(request))
  local due
  if request.state == 'pending' then
    due = request.expires
    if request.stage % 2 == 0 then due = math.min(due, nowMs + retellMs)
    elseif request.stage == 1 and request.escalateAt > 0 then due = math.min(due, request.escalateAt) end
  elseif request.claim ~= '' then due = request.claimUntil
  elseif request.usable > 0 then due = request.usable end
  if due then redis.call('ZADD', slot.due, whole(due), id) else redis.call('ZREM', slot.due, id) end
end
local function count(agent, by)
  redis.call('HINCRBY', slot.pending, '*', by)
  if redis.call('HINCRBY', slot.pending, agent, by) <= 0 then redis.call('HDEL', slot.pending, agent) end
end
local function questionIn(digest) return string.match(digest, '^[^:]*') end
-- The last no to a question, for whoever asks the same again.
local function refusedField(request) return 'no:' .. questionIn(request.digest) end
local function dropStanding(id, request)
  for _, digest in ipairs({ request.digest, request.chosen }) do
    local question = questionIn(digest)
    if digest ~= '' and redis.call('HGET', slot.standing, question) == id then redis.call('HDEL', slot.standing, question) end
  end
end
local function because(request)
  return request.counted == '' and 'nobody decided in time' or 'approved by ' .. request.counted
end
local function useUp(id, request)
  dropStanding(id, request)
  if request.state == 'approved' then request.state = 'used' end
  request.used, request.usable, request.claim, request.claimUntil, request.holders = nowMs, 0, '', 0, ''
  keepRequest(id, request)
  redis.call('PUBLISH', slot.channel, id)
end
-- What was asked again under other terms while it was held is void.
local function giveBack(id, request)
  request.claim, request.claimUntil, request.holders = '', 0, ''
  local approved = request.chosen ~= '' and request.chosen or request.digest
  if redis.call('HGET', slot.standing, questionIn(approved)) ~= id then
    audit(slot.audit, named(ofTime, id, 'void: asked again under other terms while it was held'))
    dropStanding(id, request)
    if request.state == 'approved' then request.state = 'void' end
    request.usable = 0
  end
  keepRequest(id, request)
  redis.call('PUBLISH', slot.channel, id)
end
-- The end of waiting: by a decision, or because nobody decided in time.
local function endWaiting(id, request, state, usable)
  if request.state == 'pending' then count(request.agent, -1) end
  request.state, request.ended, request.usable = state, nowMs, usable
  if usable == 0 then dropStanding(id, request)
  elseif request.chosen ~= '' then redis.call('HSET', slot.standing, questionIn(request.chosen), id) end
  if state == 'rejected' or state == 'answered' then redis.call('HSET', slot.standing, refusedField(request), id)
  elseif state == 'approved' then redis.call('HDEL', slot.standing, refusedField(request)) end
  keepRequest(id, request)
  redis.call('PUBLISH', slot.channel, id)
end
-- What time alone has made of a request; whoever looks at it comes through here, so no timer is needed to stay correct.
local function getRequest(id)
  local text = redis.call('HGET', slot.requests, id)
  if not text then return nil end
  local request = readRequest(text)
  if request.state == 'pending' and request.expires <= nowMs then
    audit(slot.audit, named(ofTime, id, 'nobody decided in time, so ' .. request.otherwise))
    local usable = request.otherwise == 'allow' and request.expires + usableMs or 0
    endWaiting(id, request, 'expired', usable > nowMs and usable or 0)
    request.ended = request.expires
    keepRequest(id, request)
  elseif request.state == 'pending' and request.stage == 1 and request.escalateAt > 0 and request.escalateAt <= nowMs then
    audit(slot.audit, named(ofTime, id, 'escalated'))
    request.stage = 2
    keepRequest(id, request)
  elseif request.claim ~= '' then
    -- Whoever held it is gone: nobody knows what it did, so it counts as done. Until then its time goes on for it.
    if request.claimUntil <= nowMs then
      audit(slot.audit, named(ofTime, id, 'used: whoever held it did not tell what it did'))
      useUp(id, request)
    end
  elseif request.usable > 0 and request.usable <= nowMs then
    audit(slot.audit, named(ofTime, id, 'not used in time'))
    dropStanding(id, request)
    if request.state == 'approved' then request.state = 'void' end
    request.usable = 0
    keepRequest(id, request)
    redis.call('PUBLISH', slot.channel, id)
  end
  return request
end
local function forgetRequest(id)
  local text = redis.call('HGET', slot.requests, id)
  if text then
    local request = readRequest(text)
    if request.state == 'pending' then count(request.agent, -1) end
    dropStanding(id, request)
    if redis.call('HGET', slot.standing, refusedField(request)) == id then
      redis.call('HDEL', slot.standing, refusedField(request))
    end
  end
  for message in string.gmatch(redis.call('HGET', slot.notices, '@' .. id) or '', '[^,]+') do
    redis.call('HDEL', slot.notices, message)
  end
  redis.call('HDEL', slot.notices, '@' .. id, '%' .. id)
  for line in string.gmatch(redis.call('HGET', slot.votes, id) or '', '[^\n]+') do
    redis.call('HDEL', slot.questions, id .. ':edit:' .. string.match(line, '^[^|]*'))
  end
  redis.call('HDEL', slot.questions, id, id .. ':head', id .. ':edited')
  redis.call('HDEL', slot.requests, id)
  redis.call('HDEL', slot.votes, id)
  redis.call('ZREM', slot.all, id)
  redis.call('ZREM', slot.due, id)
end
