#!lua flags=allow-oom
--[[
  Take back room that a group of state does not use, unless its room was touched meanwhile; a room of 0 takes the group
  off the list. Its epoch was closed before, see keep-state.lua.

  KEYS[1]   rooms of the groups (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   group
  ARGV[3]   room as it was seen, see reserve-room.lua
  ARGV[4]   bytes it keeps                           ARGV[5]   epoch that began

  Returns {"RETURNED", bytes} · {"TOUCHED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local rooms, group, seen, keeps = KEYS[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HGET', rooms, group) ~= seen then return { 'TOUCHED' } end
local room = tonumber(string.match(seen, '^(%d+)|'))
if keeps >= room then return { 'TOUCHED' } end
redis.call('HINCRBY', rooms, '*', whole(keeps - room))
if keeps == 0 then redis.call('HDEL', rooms, group)
else redis.call('HSET', rooms, group, whole(keeps) .. '|' .. ARGV[5]) end
return { 'RETURNED', whole(room - keeps) }
