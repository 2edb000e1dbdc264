#!lua flags=
--[[
  Bind a pattern to an agent in one root. A binding that exists keeps its position; its filters are replaced.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  open of the agent (hash)
  KEYS[13]  taken of the agent (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   pattern                                  ARGV[4]   start: now, a sequence (after it), or @sequence (now, but
                                                               not later than it)
  ARGV[5]   only this sender, or empty               ARGV[6]   least priority, 0 to 3
  ARGV[7]   version of the root the caller decided on, or empty
  ARGV[8]   topic without wildcard whose access list is asked, or empty

  A binding is: live|start|floor|since|sender|least priority|until, see delivery-state.ts

  Returns {"SUBSCRIBED", start} · {"KNOWN", start} · {"CHANGED"} · {"DENIED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local deliveries, open, taken = KEYS[11], KEYS[12], KEYS[13]
local agent, pattern, start, sender, least, version, asked = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
if asked ~= '' and not allows(setting(asked, 'readers'), agent) then return { 'DENIED' } end
local field = 's:' .. pattern
local known = redis.call('HGET', deliveries, field)
if known and string.sub(known, 1, 5) == 'live|' then
  local from, floor, since, oldSender, oldLeast = string.match(known, '^live|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|')
  if oldSender ~= sender or oldLeast ~= least then
    redis.call('HSET', deliveries, field, table.concat({ 'live', from, floor, since, sender, least, '0' }, '|'))
    redis.call('HINCRBY', deliveries, 'revision', 1)
  end
  return { 'KNOWN', from }
end
if version ~= '' and (redis.call('HGET', root.meta, 'version') or '0') ~= version then return { 'CHANGED' } end
local now = sequenceNow()
if start == 'now' then start = now
elseif string.sub(start, 1, 1) == '@' then start = math.min(now, tonumber(string.sub(start, 2)))
else start = tonumber(start) end
for _, old in ipairs(redis.call('HKEYS', deliveries)) do
  if string.sub(old, 1, #pattern + 3) == 'p:' .. pattern .. ' ' then redis.call('HDEL', deliveries, old) end
end
-- What is still open from before is not delivered again through the new binding once it is settled.
local records = redis.call('HGETALL', open)
for n = 1, #records, 2 do
  local sequence, topic = string.match(records[n + 1], '^[^|]*|[^|]*|[^|]*|[^|]*|[^|]*|[^|]*|([^|]*)|([^|]*)|')
  redis.call('ZADD', taken, sequence, topic .. '|' .. records[n])
end
local text = table.concat({ 'live', whole(start), whole(start), whole(now), sender, least, '0' }, '|')
redis.call('HSET', deliveries, field, text)
redis.call('HINCRBY', deliveries, 'revision', 1)
redis.call('HSET', root.subscriptions, agent .. ' ' .. pattern, whole(nowMs))
redis.call('HINCRBY', root.meta, 'version', 1)
return { 'SUBSCRIBED', whole(start) }
