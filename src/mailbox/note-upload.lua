#!lua flags=
--[[
  Count what an agent uploads: claim bytes before an upload begins, and correct them when it ended.

  KEYS[1]   uploads (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   attachment id
  ARGV[3]   bytes; 0 when it came to nothing         ARGV[4]   claim or correct
  ARGV[5]   most bytes of all that count             ARGV[6]   how long an upload counts, ms

  Returns {"NOTED"} · {"SPENT", bytes that count, ms until the first of them no longer does} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local uploads, id, bytes, how, most, keepMs = KEYS[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local function read(text) local untilMs, size = string.match(text, '^(%d+)|(%d+)$') return tonumber(untilMs), tonumber(size) end
-- Small ones count as this much, so that what is counted stays few.
local function counted(size) return math.max(size, 65536) end
local known = redis.call('HGET', uploads, id)
if how == 'correct' then
  if bytes == 0 then redis.call('HDEL', uploads, id)
  elseif known then redis.call('HSET', uploads, id, whole(read(known)) .. '|' .. whole(counted(bytes))) end
  return { 'NOTED' }
end
if known then return { 'NOTED' } end
local all = redis.call('HGETALL', uploads)
local spent, first = 0, nowMs + keepMs
for n = 1, #all, 2 do
  local untilMs, size = read(all[n + 1])
  if untilMs <= nowMs then redis.call('HDEL', uploads, all[n])
  else spent, first = spent + size, math.min(first, untilMs) end
end
if spent + counted(bytes) > most then return { 'SPENT', whole(spent), whole(first - nowMs) } end
redis.call('HSET', uploads, id, whole(nowMs + keepMs) .. '|' .. whole(counted(bytes)))
redis.call('PEXPIRE', uploads, whole(keepMs))
return { 'NOTED' }
