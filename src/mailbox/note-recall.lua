#!lua flags=allow-oom
--[[
  Note in a sender's mailbox from whom its message was taken back, and strike those off what waits in its outbox who are
  given it no more. What no recipient has is kept here, for its sender.

  KEYS[1]   meta (hash)                              KEYS[2]   messages (hash)
  KEYS[3]   deliveries (hash)                        KEYS[4]   settled (sorted set)
  KEYS[5]   outbox (hash)                            KEYS[6]   sent-to (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   message id
  ARGV[3]   recipients as they are noted now, separated by commas
  ARGV[4]   recipients who are given it no more, separated by commas
  ARGV[5]   envelope and body, opaque, or empty when a recipient has it
  ARGV[6]   bytes                                    ARGV[7]   priority, 0 to 3
  ARGV[8]   sender                                   ARGV[9]   thread

  Returns {"NOTED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
local box = { meta = KEYS[1], messages = KEYS[2], deliveries = KEYS[3], settled = KEYS[4], outbox = KEYS[5] }
--@include lua/delivery.lua
--@include lua/outbox.lua
if late() then return { 'LATE' } end
local sentTo = KEYS[6]
local id, recipients, withdrawn, body = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local bytes, priority, sender, thread = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
if redis.call('HEXISTS', sentTo, id) == 1 then redis.call('HSET', sentTo, id, recipients) end
if withdrawn == '' then return { 'NOTED' } end
strike(box.outbox, id, withdrawn)
if body ~= '' and not getRecord(id) then
  redis.call('HSET', box.messages, id, body)
  putRecord(id, {
    state = 'recalled', sequence = nextSequence(box.meta), priority = priority, sender = sender, count = 0, run = '',
    batch = '', at = nowMs, expires = nowMs, flags = '', bytes = bytes, thread = thread, failures = 0, openedAt = 0,
    reminded = 0, reason = '', files = '',
  })
  redis.call('ZADD', box.settled, whole(nowMs), id)
end
return { 'NOTED' }
