#!lua flags=no-writes,allow-oom
--[[
  List a root: its topics, what was set for them, and who is subscribed.

  KEYS      a topic root, see lua/root.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   1 with the subscriptions

  Returns {"ROOT", version, {topic, record, …}, {setting, value, …}, {agent and pattern, …}, sequence} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
if late() then return { 'LATE' } end
return {
  'ROOT', redis.call('HGET', root.meta, 'version') or '0', redis.call('HGETALL', root.topics),
  redis.call('HGETALL', root.settings), ARGV[2] == '1' and redis.call('HKEYS', root.subscriptions) or {},
  whole(sequenceNow()),
}
