#!lua flags=
--[[
  Remember in the sender's own mailbox what it sent, and count its sends of the running minute.

  KEYS[1]   sent (sorted set)                        KEYS[2]   sent-to (hash)
  KEYS[3]   rate (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   attempt
  ARGV[3]   message id                               ARGV[4]   recipients, separated by commas
  ARGV[5]   how long it is remembered, ms            ARGV[6]   1 to forget it again: nothing was inserted; 2 for a
                                                               repetition: what is noted stays

  Returns {"NOTED", sends this minute, ms until it is over} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local sent, sentTo, rate = KEYS[1], KEYS[2], KEYS[3]
local attempt, id, recipients, keepMs = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local undo, repeated = ARGV[6] == '1', ARGV[6] == '2'
if undo then
  redis.call('ZREM', sent, id)
  redis.call('HDEL', sentTo, id)
  return { 'NOTED', '0', '0' }
end
redis.call('ZADD', sent, 'NX', whole(nowUs), id)
if not repeated or redis.call('HEXISTS', sentTo, id) == 0 then redis.call('HSET', sentTo, id, recipients) end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', sent, '-inf', whole(nowUs - keepMs * 1000), 'LIMIT', 0, 10)) do
  redis.call('ZREM', sent, old)
  redis.call('HDEL', sentTo, old)
end
local minute = whole(math.floor(nowMs / 60000))
local counted = redis.call('HMGET', rate, 'minute', 'sends', 'attempt')
local sends = counted[1] == minute and tonumber(counted[2]) or 0
if counted[3] ~= attempt then sends = sends + 1 end
redis.call('HSET', rate, 'minute', minute, 'sends', whole(sends), 'attempt', attempt)
return { 'NOTED', whole(sends), whole(60000 - nowMs % 60000) }
