#!lua flags=
--[[
  Open a mailbox or queue for a name that nobody has yet, within the sender's allowance.

  KEYS[1]   agents (hash)                            KEYS[2]   queues (hash)
  KEYS[3]   unclaimed names (hash)                   KEYS[4]   channel of the directory
  KEYS[5]   settings of the namespace (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent or queue
  ARGV[3]   name                                     ARGV[4]   who opens it
  ARGV[5]   most names one sender may have open      ARGV[6]   settings of a queue, opaque

  Returns {"KNOWN"} · {"OPENED"} · {"UNCLAIMED"} when it is open and nobody has read there yet · {"TOO_MANY"} · {"CLOSED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local agents, queues, unclaimed, channel, namespace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local closed = redis.call('HGET', namespace, 'unknown-recipients') == 'refuse'
local kind, name, opener, most, settings = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
if kind == 'queue' then
  if redis.call('HEXISTS', queues, name) == 1 then return { 'KNOWN' } end
  if closed then return { 'CLOSED' } end
  redis.call('HSET', queues, name, settings)
  redis.call('PUBLISH', channel, 'queues')
  return { 'OPENED' }
end
if redis.call('HEXISTS', agents, name) == 1 then return { 'KNOWN' } end
if redis.call('HEXISTS', unclaimed, 'name:' .. name) == 1 then return { 'UNCLAIMED' } end
if closed then return { 'CLOSED' } end
if tonumber(redis.call('HGET', unclaimed, 'count:' .. opener) or '0') >= most then return { 'TOO_MANY' } end
redis.call('HSET', unclaimed, 'name:' .. name, opener)
redis.call('HINCRBY', unclaimed, 'count:' .. opener, 1)
return { 'OPENED' }
