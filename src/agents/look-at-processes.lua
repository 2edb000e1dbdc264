#!lua flags=no-writes
--[[
  Tell how long processes have been silent, as far as somebody was there to see it.

  KEYS[1]   heartbeats (sorted set)                  KEYS[2]   processes (hash)
  KEYS[3]   witnessed time (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   process that asks
  ARGV[3…]  processes

  Returns {"SEEN", {ms of silence, last heartbeat or 0, where it lives, opaque, or empty, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/witnessed.lua
if late() then return { 'LATE' } end
local heartbeats, processes, clock = KEYS[1], KEYS[2], KEYS[3]
local timeMs, seen = witnessedMs(clock, heartbeats, ARGV[2]), {}
for n = 3, #ARGV do
  local last = redis.call('ZSCORE', heartbeats, ARGV[n]) or '0'
  seen[#seen + 1] = whole(timeMs - tonumber(last))
  seen[#seen + 1] = last
  seen[#seen + 1] = redis.call('HGET', processes, ARGV[n]) or ''
end
return { 'SEEN', seen }
