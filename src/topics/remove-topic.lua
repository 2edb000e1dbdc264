#!lua flags=allow-oom
--[[
  Remove a topic, a bounded part of its history at each call, and the topic itself with the last part. What is open at an
  agent stays readable for it.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  index of the topic (sorted set)          KEYS[12]  trims of the topic (sorted set)
  KEYS[13]  audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   topic
  ARGV[3]   version of the root the caller decided on
  ARGV[4]   when it was last used, ms, as the caller saw it; empty to remove it although it is used
  ARGV[5]   most messages                            ARGV[6]   audit row, or empty
  ARGV[7…]  its settings (fields)

  Returns {"REMOVED"} · {"MORE"} · {"CHANGED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local index, trims, topic, version, last, most = KEYS[11], KEYS[12], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local record = getTopic(topic)
if not record then return { 'REMOVED' } end
if (redis.call('HGET', root.meta, 'version') or '0') ~= version then return { 'CHANGED' } end
if last ~= '' and whole(record.last) ~= last then return { 'CHANGED' } end
audit(KEYS[13], ARGV[6])
local ids = redis.call('ZRANGE', index, 0, most - 1)
for _, id in ipairs(ids) do
  redis.call('ZREM', index, id)
  if redis.call('HEXISTS', root.holds, id) == 1 then redis.call('SADD', root.orphans, id)
  else redis.call('HDEL', root.messages, id) redis.call('HDEL', root.facts, id) end
end
if #ids == most then return { 'MORE' } end
redis.call('DEL', trims)
redis.call('HDEL', root.topics, topic)
redis.call('ZREM', root.heads, topic)
for n = 7, #ARGV do redis.call('HDEL', root.settings, ARGV[n]) end
redis.call('HINCRBY', root.meta, 'version', 1)
redis.call('PUBLISH', root.channel, topic)
return { 'REMOVED' }
