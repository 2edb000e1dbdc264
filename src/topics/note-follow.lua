#!lua flags=
--[[
  Note in the directory what an agent follows, or strike it out. Repeating it changes nothing.

  KEYS[1]   follows of the agent (hash)              KEYS[2]   roots (hash)
  KEYS[3]   channel of the directory                 KEYS[4]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   pattern, root, materialised, stop or leave
  ARGV[3]   the pattern or root
  ARGV[4]   pattern: where reading starts (now, earliest or a sequence); materialised: up to which root's number;
            leave: the value the root was noted with, so that a note made since then stands
  ARGV[5]   pattern: only this sender, or empty      ARGV[6]   pattern: least priority, 0 to 3
  ARGV[7]   pattern: how waiting reads are woken, opaque, or empty
  ARGV[8]   audit row, or empty when it was recorded before or nobody asked

  A noted pattern is: start|sequence of now|roots known then|roots seen to|sender|least priority|waking

  Returns {"NOTED", value, root, number, …} with the roots that exist, for a pattern · {"KNOWN", value, root, number, …} ·
          {"GONE"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local follows, roots, channel, auditRows, row = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[8]
local action, name, argument, sender, least, waking = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
audit(auditRows, row)
if action == 'stop' then
  redis.call('HDEL', follows, 'pattern:' .. name)
  redis.call('PUBLISH', channel, 'follows ' .. follows)
  return { 'GONE' }
end
if action == 'leave' then
  if redis.call('HGET', follows, 'root:' .. name) == argument then redis.call('HDEL', follows, 'root:' .. name) end
  return { 'GONE' }
end
if action == 'root' then
  redis.call('HSET', follows, 'root:' .. name, whole(nowMs))
  return { 'NOTED', whole(nowMs) }
end
local field = 'pattern:' .. name
local known = redis.call('HGET', follows, field)
local function split(text) return string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$') end
if action == 'materialised' then
  if not known then return { 'GONE' } end
  local start, now, count, seen, from, priority, woken = split(known)
  local value = table.concat({ start, now, count, whole(math.max(tonumber(seen), tonumber(argument))), from, priority, woken }, '|')
  redis.call('HSET', follows, field, value)
  return { 'NOTED', value }
end
local value
if known then
  local start, now, count, seen = split(known)
  value = table.concat({ start, now, count, seen, sender, least, waking }, '|')
else
  value = table.concat({ argument, whole(nowUs), whole(redis.call('HLEN', roots)), '0', sender, least, waking }, '|')
end
redis.call('HSET', follows, field, value)
redis.call('PUBLISH', channel, 'follows ' .. follows)
local answer = { known and 'KNOWN' or 'NOTED', value }
for _, word in ipairs(redis.call('HGETALL', roots)) do answer[#answer + 1] = word end
return answer
