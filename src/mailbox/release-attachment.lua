#!lua flags=allow-oom
--[[
  Give up a reference. The last message that is gone takes the attachment with it; when a message was never inserted,
  the attachment can be sent again for a while, unless it was taken from the folder for that message alone.

  KEYS      an attachment, see lua/attachment.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   reference
  ARGV[3]   gone, refused, or abandoned (an upload that is given up; the reference is its owner)
  ARGV[4]   how long it waits for another message, ms

  Returns {"KEPT"} · {"REMOVED"} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/attachment.lua
if late() then return { 'LATE' } end
local reference, why, waitMs = ARGV[2], ARGV[3], tonumber(ARGV[4])
if why == 'abandoned' then
  if redis.call('HGET', attachment.meta, 'owner') ~= reference then return { 'UNKNOWN' } end
  if redis.call('HGET', attachment.meta, 'state') ~= 'uploading' then return { 'KEPT' } end
  removeAttachment()
  return { 'REMOVED' }
end
if redis.call('ZREM', attachment.references, reference) == 0 then return { 'UNKNOWN' } end
if keepForReferences() then return { 'KEPT' } end
if why == 'refused' and redis.call('HGET', attachment.meta, 'origin') ~= 'folder' then
  keepUntil(nowMs + waitMs)
  return { 'KEPT' }
end
removeAttachment()
return { 'REMOVED' }
