#!lua flags=no-writes,allow-oom
--[[
  List what a mailbox keeps, newest first, or look up ids.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   all (by sequence), dead (by burial) or ids
  ARGV[4]   only before this sequence (all) or after this id in the listing (dead); empty for the start
  ARGV[5]   not before this sequence (all)           ARGV[6]   most
  ARGV[7…]  ids (for ids)

  Returns {"LIST", {id, record, body, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local which, before, since, most = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local ids = {}
if which == 'all' then
  local top = before == '' and '+inf' or '(' .. before
  ids = redis.call('ZREVRANGEBYSCORE', box.all, top, since == '' and '-inf' or since, 'LIMIT', 0, most)
elseif which == 'dead' then
  local rank = before ~= '' and redis.call('ZREVRANK', box.dead, before)
  local start = rank and rank + 1 or 0
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
