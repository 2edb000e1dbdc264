#!lua flags=allow-oom
--[[
  Remove a whole chunk of old rows whose end a checkpoint names, and the checkpoints before it.

  KEYS[1]   end of the chain (hash)                  KEYS[2]   chunk (list)
  KEYS[3]   checkpoints (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   number of the last row of the chunk

  Returns {"TRIMMED", checkpoints dropped} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local chain, chunk, checkpoints, last = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[2])
redis.call('DEL', chunk)
redis.call('HSET', chain, 'first', whole(last + 1))
local dropped = 0
for _, text in ipairs(redis.call('LRANGE', checkpoints, 0, 99)) do
  if tonumber(string.match(text, '^{"n":(%d+),') or last) >= last then break end
  dropped = dropped + 1
end
if dropped > 0 then redis.call('LTRIM', checkpoints, dropped, -1) end
return { 'TRIMMED', whole(dropped) }
