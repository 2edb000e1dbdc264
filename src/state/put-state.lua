#!lua flags=
--[[
  Write the value of a key as a new version, once per operation and only over the version that is expected.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/change.lua
  ARGV[3]   operation                                ARGV[4]   digest of what was asked
  ARGV[5]   attempt                                  ARGV[6]   how long the operation is remembered, ms
  ARGV[7]   key                                      ARGV[8]   value, opaque
  ARGV[9]   expected version, 0 for none, or empty   ARGV[10]  expires, ms from now, or 0
  ARGV[11]  agent                                    ARGV[12]  1 when the agent was proved
  ARGV[13]  resource, or empty                       ARGV[14]  its fencing token, or empty
  ARGV[15]  when its lease is over, ms, or empty     ARGV[16]  most live entries
  ARGV[17]  room, bytes                              ARGV[18]  epoch of the room, see keep-state.lua
  ARGV[19]  audit row

  Returns {"PUT", version, at ms, expires ms} · {"REPLAYED", the same} · {"REUSED"} ·
          {"CONFLICT", entry and value as they are, both empty when there is none} · {"LEASE_OVER"} ·
          {"STALE", highest token seen} · {"MANY", live entries} · {"ROOM", bytes it would take in all, epoch} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/group.lua
--@include lua/entry.lua
--@include lua/change.lua
--@include ../redis/lua/overlap.lua
--@include lua/fence.lua
if late() then return { 'LATE' } end
local operation, digest, attempt, keepMs = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local key, value, expected, lifeMs, agent, verified = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11], ARGV[12]
local resource, token, mostEntries, room, epoch = ARGV[13], ARGV[14], tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local row = ARGV[19]

local known, answer = recallOperation(group.operations, group.operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'REUSED' } end
if known == 'REPLAYED' then audit(group.audit, row) end
if known then
  local version, at, expires = string.match(answer, '^(%d+),(%d+),(%d+)$')
  local again = known == 'REPLAYED'
  return { again and 'REPLAYED' or 'PUT', version, at, expires }
end
if resource ~= '' and nowMs >= tonumber(ARGV[15]) then return { 'LEASE_OVER' } end
local seen = staleBefore(resource, token)
if seen then return { 'STALE', seen } end

local old, text = getEntry(key)
if old and hasExpired(old) then old = expire(key, old) end
local live = isLive(old)
if expected ~= '' and expected ~= (live and old.version or '0') then
  audit(group.audit, row)
  return { 'CONFLICT', live and text or '', live and redis.call('HGET', group.values, key) or '' }
end

local planned
-- The refusal, if there is one: for the number of entries, or for the room, which has an epoch since some was given back.
local function refusal()
  old = getEntry(key)
  planned = plan(key, old, 'live', lifeMs > 0 and nowMs + lifeMs or 0, agent, verified, #value)
  local count = redis.call('ZCARD', group.order)
  if not live and count >= mostEntries then return { 'MANY', whole(count) } end
  local more = planned.more + fenceCost(resource)
  local wanted = tonumber(redis.call('HGET', group.meta, 'bytes') or '0') + more
  local since = redis.call('HGET', group.meta, 'epoch') or '0'
  if more > 0 and (wanted > room or tonumber(since) > epoch) then return { 'ROOM', whole(wanted), since } end
end
local refused = refusal()
if refused then
  upkeep(100)
  refused = refusal()
  if refused then return refused end
end

audit(group.audit, row)
noteToken(resource, token)
local entry = commit(key, old, planned, value)
local words = { entry.version, whole(entry.at), whole(entry.expires) }
rememberOperation(group.operations, group.operationExpiry, operation, digest, attempt, table.concat(words, ','), keepMs)
forgetOldOperations(group.operations, group.operationExpiry)
upkeep(10)
return { 'PUT', words[1], words[2], words[3] }
