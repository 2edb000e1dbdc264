#!lua flags=allow-oom
--[[
  Do what time alone has made due in a group, and close an epoch of its room when asked, so that room can be given back.

  A write says by which epoch it was given its room. Closing an epoch refuses those of earlier ones, so that no write
  under the old room can come after the room was given back.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/change.lua
  ARGV[3]   most entries ended or forgotten          ARGV[4]   epoch that begins now, or empty

  Returns {"KEPT", bytes used, 1 when nothing at all is left} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include lua/group.lua
--@include lua/entry.lua
--@include lua/change.lua
if late() then return { 'LATE' } end
local epoch = ARGV[4]
upkeep(tonumber(ARGV[3]))
forgetOldOperations(group.operations, group.operationExpiry)
if epoch ~= '' and tonumber(redis.call('HGET', group.meta, 'epoch') or '0') < tonumber(epoch) then
  redis.call('HSET', group.meta, 'epoch', epoch)
end
local used = tonumber(redis.call('HGET', group.meta, 'bytes') or '0')
local empty = redis.call('HLEN', group.entries) == 0 and redis.call('ZCARD', group.fences) == 0
  and redis.call('HLEN', group.operations) == 0
-- Rows that are not sealed yet keep the group on the list; of sealed ones the last number is left.
local last = redis.call('LINDEX', group.audit, -1)
empty = empty and (not last or string.sub(last, -1) == '|')
-- The epoch outlives every process that may have been given room before.
if empty then redis.call('PEXPIRE', group.meta, whole(goneMs)) end
return { 'KEPT', whole(used), empty and '1' or '0' }
