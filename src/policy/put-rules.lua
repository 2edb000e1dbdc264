#!lua flags=
--[[
  Put a rule set into force as the next version, over the version it was made from and once per attempt.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   attempt
  ARGV[3]   how long it is remembered, ms            ARGV[4]   version it was made from, 0 for none
  ARGV[5]   who put it there and why, opaque         ARGV[6]   the rule set, opaque
  ARGV[7]   most versions kept                       ARGV[8]   audit row

  Returns {"PUT", version, at ms} · {"SAME", version} when what is in force says exactly this ·
          {"MOVED", version in force, who put it there and why, at ms} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
local attempt, keepMs, from, about, text = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local mostKept, row = tonumber(ARGV[7]), ARGV[8]
local known, answer = recallOperation(slot.operations, slot.operationExpiry, 'p|' .. attempt, '', attempt)
if known then
  local version, at = string.match(answer, '^(%d+),(%d+)$')
  return { 'PUT', version, at }
end
local current = redis.call('HGET', slot.rules, 'current') or '0'
if current ~= from then
  local at, who = string.match(redis.call('HGET', slot.rules, 'about:' .. current) or '0|', '^(%d+)|(.*)$')
  return { 'MOVED', current, who, at }
end
audit(slot.audit, row)
if redis.call('HGET', slot.rules, 'text:' .. current) == text then return { 'SAME', current } end
local version = tonumber(current) + 1
redis.call('HSET', slot.rules, 'about:' .. whole(version), whole(nowMs) .. '|' .. about, 'text:' .. whole(version), text)
redis.call('HDEL', slot.rules, 'about:' .. whole(version - mostKept), 'text:' .. whole(version - mostKept))
-- The clock goes beside the number: after a lost tail it must not come again for other rules.
local last = tonumber(redis.call('HGET', slot.rules, 'stamp') or '0')
redis.call('HSET', slot.rules, 'current', whole(version), 'stamp', whole(math.max(last + 1, nowUs)))
rememberOperation(slot.operations, slot.operationExpiry, 'p|' .. attempt, '', attempt, whole(version) .. ',' .. whole(nowMs), keepMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
redis.call('PUBLISH', slot.channel, 'rules')
return { 'PUT', whole(version), whole(nowMs) }
