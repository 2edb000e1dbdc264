#!lua flags=allow-oom
--[[
  Note whose messages a run has read, and forget runs that read nothing new for long.

  KEYS[1]   reads (hash)                             KEYS[2]   read at (sorted set)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   run, as agent/id
  ARGV[3]   how long a run is remembered after what it read last, ms
  ARGV[4]   most notes of one run, of each kind
  ARGV[5…]  u:NAME for a sender that nobody proved, f:NAME for one of another team

  Returns {"NOTED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local reads, readAt, run, keepMs, most = KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local notes, seen, counts = {}, {}, { u = 0, f = 0 }
local function note(word)
  local kind = string.sub(word, 1, 1)
  if seen[word] or counts[kind] >= most then return end
  seen[word], counts[kind] = true, counts[kind] + 1
  notes[#notes + 1] = word
end
for word in string.gmatch(redis.call('HGET', reads, run) or '', '[^,]+') do note(word) end
for n = 5, #ARGV do note(ARGV[n]) end
redis.call('HSET', reads, run, table.concat(notes, ','))
redis.call('ZADD', readAt, whole(nowMs), run)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', readAt, '-inf', whole(nowMs - keepMs), 'LIMIT', 0, 20)) do
  redis.call('HDEL', reads, old)
  redis.call('ZREM', readAt, old)
end
return { 'NOTED' }
