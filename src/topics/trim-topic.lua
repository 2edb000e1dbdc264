#!lua flags=allow-oom
--[[
  Apply retention to a topic to which nobody publishes any more.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  index of the topic (sorted set)          KEYS[12]  trims of the topic (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   topic
  ARGV[3]   default retention, ms                    ARGV[4]   default retention, messages
  ARGV[5]   default retention, bytes                 ARGV[6]   most messages

  Returns {"TRIMMED", how many} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
--@include lua/trim.lua
if late() then return { 'LATE' } end
local index, trims, topic = KEYS[11], KEYS[12], ARGV[2]
local record = getTopic(topic)
if not record then return { 'TRIMMED', '0' } end
-- The trims tell by sequence what was trimmed after a subscription was made, so this is an event of its own.
nextSequence(root.meta)
local gone = trim(topic, record, index, trims, retention(topic, ARGV[3], ARGV[4], ARGV[5]), tonumber(ARGV[6]))
if gone > 0 then putTopic(topic, record) end
return { 'TRIMMED', whole(gone) }
