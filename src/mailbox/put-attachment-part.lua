#!lua flags=
--[[
  Put one part of an attachment. The same part again changes nothing, also after it was finished.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   owner
  ARGV[3]   number of the part, from 0               ARGV[4]   its bytes, as base64
  ARGV[5]   most bytes of the whole                  ARGV[6]   how long it waits for a message, ms

  Returns {"PUT", bytes so far} · {"UNKNOWN"} · {"FINISHED"} · {"TOO_LARGE"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local owner, number, part, most, waitMs = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local function decoded(text) return math.floor(#text / 4) * 3 - #string.match(text, '=*$') end
if redis.call('HGET', attachment.meta, 'owner') ~= owner then return { 'UNKNOWN' } end
local bytes = tonumber(redis.call('HGET', attachment.meta, 'bytes'))
local before = redis.call('HGET', attachment.parts, number)
if before == part then return { 'PUT', whole(bytes) } end
if redis.call('HGET', attachment.meta, 'state') ~= 'uploading' then return { 'FINISHED' } end
bytes = bytes + decoded(part) - (before and decoded(before) or 0)
if bytes > most then return { 'TOO_LARGE' } end
redis.call('HSET', attachment.parts, number, part)
redis.call('HSET', attachment.meta, 'bytes', whole(bytes))
redis.call('HINCRBY', attachment.meta, 'revision', 1)
keepUntil(nowMs + waitMs)
return { 'PUT', whole(bytes) }
