#!lua flags=allow-oom
--[[
  Take back a message that nobody has been given yet.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   message id                               ARGV[4]   sender who recalls it
  ARGV[5]   audit row

  Returns {"RECALLED"} · {"DELIVERED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local id, sender, row = ARGV[3], ARGV[4], ARGV[5]
local record = getRecord(id)
if not record or record.sender ~= sender then return { 'UNKNOWN' } end
local recalled = record.state == 'recalled'
if not recalled and (record.count > 0 or not isUnsettled(record)) then return { 'DELIVERED' } end
audit(box.audit, row)
if recalled then return { 'RECALLED' } end
toHistory(id, record, 'recalled')
return { 'RECALLED' }
