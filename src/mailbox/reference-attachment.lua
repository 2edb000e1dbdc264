#!lua flags=
--[[
  Keep an attachment for messages that are about to carry it. Taken before they are inserted, and only for a while: once
  a mailbox has its message, confirm-attachment keeps it for as long as the message is there.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   owner
  ARGV[3…]  reference, until ms; and so on

  Returns {"REFERENCED"} · {"NOT_READY"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local owner = ARGV[2]
if redis.call('HGET', attachment.meta, 'owner') ~= owner then return { 'UNKNOWN' } end
if redis.call('HGET', attachment.meta, 'state') ~= 'ready' then return { 'NOT_READY' } end
for n = 3, #ARGV, 2 do refer(ARGV[n], tonumber(ARGV[n + 1])) end
keepForReferences()
return { 'REFERENCED' }
