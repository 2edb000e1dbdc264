#!lua flags=
--[[
  Open a request for an approval, unless one stands for the same question already: one that waits for a decision, or one
  that was decided and has not been used. One that stands under other terms becomes void.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id                                       ARGV[4]   digest of the question
  ARGV[5]   agent that asks                          ARGV[6]   question, opaque
  ARGV[7]   its head for lists, opaque               ARGV[8]   expires, ms from now
  ARGV[9]   what holds then: deny or allow           ARGV[10]  quorum
  ARGV[11]  1 when the word of the client's user counts
  ARGV[12]  approvers, comma separated               ARGV[13]  escalated, ms from now, or 0
  ARGV[14]  approvers then too, comma separated      ARGV[15]  audit row

  Returns {"OPENED", request, id, refused} · {"STANDS", request, id, refused}, with the id of the request for the same that
          was refused last, or empty · {"MANY", how many wait, agent or namespace} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id, digest, agent, question, head, row = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[15]
local lifeMs, otherwise, quorum, byClient, approvers = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10]), ARGV[11], ARGV[12]
local escalateMs, escalateTo = tonumber(ARGV[13]), ARGV[14]
local known = redis.call('HGET', slot.standing, questionIn(digest))
local refused = redis.call('HGET', slot.standing, refusedField({ digest = digest })) or ''
local old = known and getRequest(known)
if old and old.claim ~= '' then
  -- It is about to be used, or will be given back.
  if old.digest == digest or old.chosen == digest then return { 'STANDS', writeRequest(old), known, refused } end
  old = nil
end
if old and old.state ~= 'pending' and not isUsable(old) then old = nil end
if old and (old.digest == digest or old.chosen == digest) then return { 'STANDS', writeRequest(old), known, refused } end
local freed = old and old.state == 'pending' and 1 or 0
-- How many wait, where what is over by now is no obstacle.
local function refusal()
  local all = tonumber(redis.call('HGET', slot.pending, '*') or '0') - freed
  if all >= mostPending then return { 'MANY', whole(all), 'namespace' } end
  local own = tonumber(redis.call('HGET', slot.pending, agent) or '0') - freed
  if own >= mostOfAgent then return { 'MANY', whole(own), 'agent' } end
end
if refusal() then
  for _, one in ipairs(redis.call('ZRANGEBYSCORE', slot.due, '-inf', whole(nowMs), 'LIMIT', 0, 1000)) do getRequest(one) end
  local refused = refusal()
  if refused then return refused end
end
audit(slot.audit, row)
if old then
  audit(slot.audit, named(ofTime, known, 'void: asked again under other terms as ' .. id))
  endWaiting(known, old, 'void', 0)
end
local request = {
  state = 'pending', agent = agent, digest = digest, opened = nowMs, expires = nowMs + lifeMs, otherwise = otherwise,
  quorum = quorum, byClient = byClient, stage = 0, approvers = approvers,
  escalateAt = escalateMs > 0 and nowMs + escalateMs or 0, escalateTo = escalateTo, ended = 0, usable = 0, chosen = '',
  counted = '', used = 0, claim = '', claimUntil = 0, holders = '',
}
redis.call('HSET', slot.questions, id, question, id .. ':head', head)
redis.call('HSET', slot.standing, questionIn(digest), id)
redis.call('ZADD', slot.all, whole(nowMs), id)
count(agent, 1)
keepRequest(id, request)
return { 'OPENED', writeRequest(request), id, refused }
