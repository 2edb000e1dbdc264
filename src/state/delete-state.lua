#!lua flags=allow-oom
--[[
  End an entry, once per operation and only at the version that is expected. Needs no room.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/change.lua
  ARGV[3]   operation                                ARGV[4]   digest of what was asked
  ARGV[5]   attempt                                  ARGV[6]   how long the operation is remembered, ms
  ARGV[7]   key                                      ARGV[8]   expected version, or empty
  ARGV[9]   agent                                    ARGV[10]  1 when the agent was proved
  ARGV[11]  resource, or empty                       ARGV[12]  its fencing token, or empty
  ARGV[13]  when its lease is over, ms, or empty      ARGV[14]  audit row

  Returns {"DELETED", version, at ms} · {"REPLAYED", the same} · {"ABSENT"} · {"REUSED"} ·
          {"CONFLICT", entry and value as they are, both empty when there is none} · {"LEASE_OVER"} ·
          {"STALE", highest token seen} · {"LATE"}
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
local key, expected, agent, verified, resource, token = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local row = ARGV[14]

local known, answer = recallOperation(group.operations, group.operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'REUSED' } end
if known == 'REPLAYED' then audit(group.audit, row) end
if known then
  local version, at = string.match(answer, '^(%d+),(%d+)$')
  local again = known == 'REPLAYED'
  return { again and 'REPLAYED' or 'DELETED', version, at }
end
if resource ~= '' and nowMs >= tonumber(ARGV[13]) then return { 'LEASE_OVER' } end
local seen = staleBefore(resource, token)
if seen then return { 'STALE', seen } end

local old, text = getEntry(key)
if old and hasExpired(old) then old = expire(key, old) end
local live = isLive(old)
if expected ~= '' and expected ~= (live and old.version or '0') then
  audit(group.audit, row)
  return { 'CONFLICT', live and text or '', live and redis.call('HGET', group.values, key) or '' }
end
audit(group.audit, row)
if not live then return { 'ABSENT' } end

noteToken(resource, token)
local entry = commit(key, old, plan(key, old, 'deleted', 0, agent, verified, 0), '')
local words = { entry.version, whole(entry.at) }
rememberOperation(group.operations, group.operationExpiry, operation, digest, attempt, table.concat(words, ','), keepMs)
forgetOldOperations(group.operations, group.operationExpiry)
upkeep(10)
return { 'DELETED', words[1], words[2] }
