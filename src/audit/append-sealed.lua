#!lua flags=allow-oom
--[[
  Append rows to the chain of a namespace, if it still ends where the sealer looked: two sealers cannot fork it, and what
  was taken of each slot changes with it.

  KEYS[1]   end of the chain (hash)                  KEYS[2]   taken (hash)
  KEYS[3]   chunk that all of the rows belong into (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   number of the last row, as it was seen
  ARGV[3]   its hash                                 ARGV[4]   hash of the last of these rows
  ARGV[5]   how many slots they come from            ARGV[6…]  slot and number of its last row, in turn; then the rows

  Returns {"SEALED", number of the last row} · {"MOVED", number of the last row, its hash} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local chain, taken, chunk, slots = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[5])
local number = redis.call('HGET', chain, 'number') or '0'
local hash = redis.call('HGET', chain, 'hash') or ''
if number ~= ARGV[2] or hash ~= ARGV[3] then return { 'MOVED', number, hash } end
local first = 6
for n = 0, slots - 1 do redis.call('HSET', taken, ARGV[first + n * 2], ARGV[first + 1 + n * 2]) end
for n = first + slots * 2, #ARGV do redis.call('RPUSH', chunk, ARGV[n]) end
number = whole(tonumber(number) + #ARGV - first + 1 - slots * 2)
redis.call('HSET', chain, 'number', number, 'hash', ARGV[4])
return { 'SEALED', number }
