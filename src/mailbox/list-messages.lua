#!lua flags=no-writes,allow-oom
--[[
  List what a mailbox keeps, newest first, or look up ids.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   all (by sequence), dead (by burial) or ids
  ARGV[4]   only before this sequence (all) or what follows a letter of this burial, ms (dead); empty for the start
  ARGV[5]   not before this sequence (all), or the id of that letter, which may be gone (dead)
  ARGV[6]   most
  ARGV[7…]  ids (for ids)

  Returns {"LIST", {id, record, body, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local which, before, since, most = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
-- How many letters are before the place of one that was buried then, itself among them; of one instant by id, latest first.
local function behindLetter(at, id)
  local low = redis.call('ZCOUNT', box.dead, '(' .. at, '+inf')
  local high = low + redis.call('ZCOUNT', box.dead, at, at)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('ZREVRANGE', box.dead, middle, middle)[1] >= id then low = middle + 1 else high = middle end
  end
  return low
end
local ids = {}
if which == 'all' then
  local top = before == '' and '+inf' or '(' .. before
  ids = redis.call('ZREVRANGEBYSCORE', box.all, top, since == '' and '-inf' or since, 'LIMIT', 0, most)
elseif which == 'dead' then
  local start = before == '' and 0 or behindLetter(before, since)
  ids = redis.call('ZREVRANGE', box.dead, start, start + most - 1)
else
  for n = 7, #ARGV do ids[#ids + 1] = ARGV[n] end
end
local list = {}
for _, id in ipairs(ids) do
  local record = redis.call('HGET', box.deliveries, id)
  if record then
    list[#list + 1] = id
    list[#list + 1] = record
    list[#list + 1] = redis.call('HGET', box.messages, id) or ''
  end
end
return { 'LIST', list }
