#!lua flags=allow-oom
--[[
  Keep an attachment without end for a message that now carries it. A reference that was released meanwhile stays so.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   reference

  Returns {"KEPT"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local reference = ARGV[2]
if not redis.call('ZSCORE', attachment.references, reference) then return { 'UNKNOWN' } end
refer(reference, forever)
keepForReferences()
return { 'KEPT' }
