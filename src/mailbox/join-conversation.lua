#!lua flags=
--[[
  Count a message among those that descend from one origin, once per message, up to a limit.

  KEYS[1]   messages of the conversation (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   what is counted: an operation
  ARGV[3]   most messages                            ARGV[4]   how long an idle conversation is remembered, ms
  ARGV[5]   1 to strike it out again: nothing was inserted

  Returns {"JOINED", count} · {"EXHAUSTED", count} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local conversation, operation, most, keepMs, undo = KEYS[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
if undo then
  redis.call('HDEL', conversation, operation)
  return { 'JOINED', whole(redis.call('HLEN', conversation)) }
end
local known = redis.call('HEXISTS', conversation, operation) == 1
local messages = redis.call('HLEN', conversation)
if not known and messages >= most then return { 'EXHAUSTED', whole(messages) } end
if not known then
  redis.call('HSET', conversation, operation, '1')
  messages = messages + 1
end
redis.call('PEXPIRE', conversation, keepMs)
return { 'JOINED', whole(messages) }
