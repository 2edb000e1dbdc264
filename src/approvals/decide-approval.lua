#!lua flags=
--[[
  Put the vote of an approver on a request, once, and end the waiting when it decides: a rejection or an answer does by
  itself, an approval when as many approvers as the quorum say the same, of those who may still decide.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id                                       ARGV[4]   votes as they were seen
  ARGV[5]   who votes                                ARGV[6]   approve, edit, reject or answer
  ARGV[7]   digest of what is approved, or empty
  ARGV[8]   the vote: who|decision|digest|*|words, with * for when
  ARGV[9]   who of those that voted may still decide, each after a comma, and a comma
  ARGV[10]  question as it is approved, or empty     ARGV[11]  link that is used up, or empty
  ARGV[12]  when the link is forgotten, ms           ARGV[13]  operation, or empty
  ARGV[14]  digest of what was asked                 ARGV[15]  how long the operation is remembered, ms
  ARGV[16]  audit row

  Returns {"DECIDED", request, votes that agree} · {"COUNTED", request, votes that agree} ·
          {"REPEATED", request, votes that agree} · {"ENDED", request} ·
          {"CHANGED"} when the votes are others than were seen · {"TAKEN", id of the request that asks what would be approved} ·
          {"LINK_USED"} · {"LINK_LOST"} · {"REUSED"} · {"UNKNOWN"} ·
          {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id, seen, voter, decision, digest, vote = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local entitled, edited, link, linkKeptUntil = ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
local operation, asked, operationKeepMs, row = ARGV[13], ARGV[14], tonumber(ARGV[15]), ARGV[16]
local request = getRequest(id)
if not request then return { 'UNKNOWN' } end
local known = operation ~= '' and recallOperation(slot.operations, slot.operationExpiry, operation, asked, '')
if known == 'CONFLICT' then return { 'REUSED' } end
local votes = redis.call('HGET', slot.votes, id) or ''
local kept, agreeing, names = {}, 1, { voter }
local same = false
for line in string.gmatch(votes, '[^\n]+') do
  local who, what, forDigest = string.match(line, '^([^|]*)|([^|]*)|([^|]*)|')
  if who == voter then same = what == decision and forDigest == digest
  else
    kept[#kept + 1] = line
    if digest ~= '' and forDigest == digest and string.find(entitled, ',' .. who .. ',', 1, true) then
      agreeing = agreeing + 1
      names[#names + 1] = who
    end
  end
end
-- While it waits, the same vote again renews what proves it: what proved it before may not count any more.
local isOver = link == '' and request.state ~= 'pending' or link ~= '' and again()
if known or (same and isOver) then
  audit(slot.audit, row)
  return { 'REPEATED', writeRequest(request), whole(agreeing) }
end
local spent = link ~= '' and redis.call('HGET', slot.links, link)
if spent == 'lost' then return { 'LINK_LOST' } end
if spent then return { 'LINK_USED' } end
if request.state ~= 'pending' then return { 'ENDED', writeRequest(request) } end
if votes ~= seen then return { 'CHANGED' } end
-- What is approved instead must not be asked about by itself: of two approvals of one question one could not be used.
local other = edited ~= '' and redis.call('HGET', slot.standing, questionIn(digest))
if other and other ~= id then
  local asks = getRequest(other)
  if asks and (asks.state == 'pending' or asks.claim ~= '' or isUsable(asks)) then return { 'TAKEN', other } end
end
audit(slot.audit, row)
if link ~= '' then
  redis.call('HSET', slot.links, link, '1')
  redis.call('HDEL', slot.links, 'open:' .. link)
  redis.call('ZADD', slot.linkExpiry, whole(linkKeptUntil), link)
end
if operation ~= '' then
  rememberOperation(slot.operations, slot.operationExpiry, operation, asked, '', id, operationKeepMs)
end
if edited ~= '' then redis.call('HSET', slot.questions, id .. ':edit:' .. voter, edited)
else redis.call('HDEL', slot.questions, id .. ':edit:' .. voter) end
kept[#kept + 1] = (string.gsub(vote, '%*', whole(nowMs), 1))
redis.call('HSET', slot.votes, id, table.concat(kept, '\n'))
if decision == 'reject' or decision == 'answer' then
  request.counted = voter
  endWaiting(id, request, decision == 'reject' and 'rejected' or 'answered', 0)
  return { 'DECIDED', writeRequest(request), whole(agreeing) }
end
if agreeing < request.quorum then
  redis.call('PUBLISH', slot.channel, id)
  return { same and 'REPEATED' or 'COUNTED', writeRequest(request), whole(agreeing) }
end
request.counted = table.concat(names, ',')
if edited ~= '' then
  request.chosen = digest
  redis.call('HSET', slot.questions, id .. ':edited', edited)
end
endWaiting(id, request, 'approved', nowMs + usableMs)
return { 'DECIDED', writeRequest(request), whole(agreeing) }
