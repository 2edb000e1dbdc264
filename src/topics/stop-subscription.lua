#!lua flags=allow-oom
--[[
  End the binding of a pattern to an agent in one root. What the agent has open stays open. How far the binding had come
  is remembered until the agent's other bindings have come as far, so that these do not deliver it again.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  taken of the agent (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   pattern

  Returns {"STOPPED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
if late() then return { 'LATE' } end
local deliveries, taken, agent, pattern = KEYS[11], KEYS[12], ARGV[2], ARGV[3]
redis.call('HDEL', root.subscriptions, agent .. ' ' .. pattern)
local known = redis.call('HGET', deliveries, 's:' .. pattern)
local rest = known and string.match(known, '^live|(.*)|[^|]*$')
if not rest then return { 'UNKNOWN' } end
redis.call('HSET', deliveries, 's:' .. pattern, 'ended|' .. rest .. '|' .. whole(sequenceNow()))
local fields, others = redis.call('HGETALL', deliveries), false
for n = 1, #fields, 2 do
  if string.sub(fields[n], 1, 2) == 's:' and string.sub(fields[n + 1], 1, 5) == 'live|' then others = true end
end
for n = 1, #fields, 2 do
  local kind = string.sub(fields[n], 1, 2)
  if not others and (kind == 's:' or kind == 'p:') then redis.call('HDEL', deliveries, fields[n]) end
end
if not others then redis.call('DEL', taken) end
redis.call('HINCRBY', deliveries, 'revision', 1)
redis.call('HINCRBY', root.meta, 'version', 1)
return { 'STOPPED' }
