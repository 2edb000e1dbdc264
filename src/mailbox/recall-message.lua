#!lua flags=allow-oom
--[[
  Take back a message that nobody has been given yet.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   message id                               ARGV[4]   sender who recalls it

  Returns {"RECALLED"} · {"DELIVERED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local id, sender = ARGV[3], ARGV[4]
local record = getRecord(id)
if not record or record.sender ~= sender then return { 'UNKNOWN' } end
if record.state == 'recalled' then return { 'RECALLED' } end
if record.count > 0 or not isUnsettled(record) then return { 'DELIVERED' } end
toHistory(id, record, 'recalled')
return { 'RECALLED' }
