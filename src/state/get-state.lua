#!lua flags=no-writes,allow-oom
--[[
  Read the entry of a key with its value.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   key

  Returns {"ENTRY", entry, value} · {"NONE"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/group.lua
--@include lua/entry.lua
if late() then return { 'LATE' } end
local entry, text = getEntry(ARGV[2])
if not isLive(entry) then return { 'NONE' } end
return { 'ENTRY', text, redis.call('HGET', group.values, ARGV[2]) }
