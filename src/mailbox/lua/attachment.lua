-- The keys of one attachment, always all of them and in this order (see attachmentKeys in keys.ts).
-- meta: owner, name, type, origin (upload or folder), state (uploading or ready), bytes, sha256, revision
local attachment = { meta = KEYS[1], parts = KEYS[2], references = KEYS[3] }
local forever = 9000000000000000
local function eachKey(act) for _, key in pairs(attachment) do act(key) end end
local function removeAttachment() redis.call('DEL', attachment.meta, attachment.parts, attachment.references) end
-- All of it goes at the same instant, whether or not anybody comes back to it.
local function keepUntil(ms) eachKey(function(key) redis.call('PEXPIREAT', key, whole(ms)) end) end
-- Keeps it as long as the longest of its references; false when none is left.
local function keepForReferences()
  redis.call('ZREMRANGEBYSCORE', attachment.references, '-inf', whole(nowMs))
  local last = redis.call('ZRANGE', attachment.references, -1, -1, 'WITHSCORES')
  if not last[2] then return false end
  if tonumber(last[2]) >= forever then eachKey(function(key) redis.call('PERSIST', key) end)
  else keepUntil(tonumber(last[2])) end
  return true
end
-- A reference is never shortened by being taken again.
local function refer(member, untilMs)
  local known = redis.call('ZSCORE', attachment.references, member)
  if not known or tonumber(known) < untilMs then redis.call('ZADD', attachment.references, whole(untilMs), member) end
end
