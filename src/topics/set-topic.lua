#!lua flags=
--[[
  Create a topic on purpose, or set and unset what holds for it and is inherited below it.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   topic
  ARGV[3]   1 to create it when it is missing        ARGV[4]   how many settings are set
  ARGV[5]   audit row
  ARGV[6…]  fields with values, then fields to unset

  Returns {"CREATED"} · {"SET"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local auditRows, topic, create, sets, row = KEYS[11], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4]), ARGV[5]
local known = getTopic(topic)
if not known and not create then return { 'UNKNOWN' } end
audit(auditRows, row)
local record = known or openTopic(topic)
if create then
  record.explicit = 1
  putTopic(topic, record)
end
local first = 6
for n = 0, sets - 1 do redis.call('HSET', root.settings, ARGV[first + n * 2], ARGV[first + 1 + n * 2]) end
for n = first + sets * 2, #ARGV do redis.call('HDEL', root.settings, ARGV[n]) end
redis.call('HINCRBY', root.meta, 'version', 1)
redis.call('PUBLISH', root.channel, topic)
return { known and 'SET' or 'CREATED' }
