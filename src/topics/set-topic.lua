#!lua flags=
--[[
  Create a topic on purpose, or set and unset what holds for it and is inherited below it.

  KEYS      a topic root, see lua/root.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   topic
  ARGV[3]   1 to create it when it is missing        ARGV[4]   how many settings are set
  ARGV[5…]  fields with values, then fields to unset

  Returns {"CREATED"} · {"SET"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local topic, create, sets = ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local known = getTopic(topic)
if not known and not create then return { 'UNKNOWN' } end
local record = known or openTopic(topic)
if create then
  record.explicit = 1
  putTopic(topic, record)
end
for n = 0, sets - 1 do redis.call('HSET', root.settings, ARGV[5 + n * 2], ARGV[6 + n * 2]) end
for n = 5 + sets * 2, #ARGV do redis.call('HDEL', root.settings, ARGV[n]) end
redis.call('HINCRBY', root.meta, 'version', 1)
redis.call('PUBLISH', root.channel, topic)
return { known and 'SET' or 'CREATED' }
