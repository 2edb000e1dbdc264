#!lua flags=no-writes,allow-oom
--[[
  List the history of a topic, newest first.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  index of the topic (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   topic                                    ARGV[4]   only before this sequence or message, or empty
  ARGV[5]   not before this sequence, or empty       ARGV[6]   most
  ARGV[7]   1 when no access list binds the agent

  Returns {"HISTORY", {id, facts, body, …}} · {"DENIED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local index, agent, topic, before, since, most = KEYS[11], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
if ARGV[7] ~= '1' and not allows(setting(topic, 'readers'), agent) then return { 'DENIED' } end
if redis.call('HEXISTS', root.topics, topic) == 0 then return { 'UNKNOWN' } end
local top = '+inf'
if before ~= '' then
  local sequence = string.match(before, '^%d+$') or redis.call('ZSCORE', index, before)
  if not sequence then return { 'HISTORY', {} } end
  top = '(' .. whole(tonumber(sequence))
end
local list = {}
for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', index, top, since == '' and '-inf' or since, 'LIMIT', 0, most)) do
  list[#list + 1] = id
  list[#list + 1] = redis.call('HGET', root.facts, id) or ''
  list[#list + 1] = redis.call('HGET', root.messages, id) or ''
end
return { 'HISTORY', list }
