#!lua flags=
--[[
  Begin an attachment: nobody sees it, and it goes away by itself, until it is finished and a message carries it.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   owner
  ARGV[3]   name                                     ARGV[4]   content type
  ARGV[5]   origin: upload or folder                 ARGV[6]   how long it waits for a message, ms

  Returns {"BEGUN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local owner, name, contentType, origin, waitMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
if redis.call('EXISTS', attachment.meta) == 0 then
  redis.call('HSET', attachment.meta, 'owner', owner, 'name', name, 'type', contentType, 'origin', origin,
    'state', 'uploading', 'bytes', '0', 'revision', '0')
end
keepUntil(nowMs + waitMs)
return { 'BEGUN' }
