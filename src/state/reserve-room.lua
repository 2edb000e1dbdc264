#!lua flags=
--[[
  Give a group of state as much room of its namespace as it needs, in whole pieces, and so register it before its first
  use. Repeating it changes nothing.

  KEYS[1]   rooms of the groups (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   group
  ARGV[3]   bytes it needs in all                    ARGV[4]   bytes of a piece
  ARGV[5]   most bytes of the namespace              ARGV[6]   least epoch, see keep-state.lua

  A room is: bytes|epoch; the field * is their sum.

  Returns {"ROOM", bytes, epoch} · {"FULL", bytes of the namespace} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local rooms, group, piece, most, least = KEYS[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local room, epoch = string.match(redis.call('HGET', rooms, group) or '0|0', '^(%d+)|(%d+)$')
room, epoch = tonumber(room), math.max(tonumber(epoch), least)
local wanted = math.max(room, math.ceil(math.max(tonumber(ARGV[3]), 1) / piece) * piece)
local sum = tonumber(redis.call('HGET', rooms, '*') or '0') + wanted - room
if wanted > room and sum > most then return { 'FULL', whole(sum - wanted + room) } end
redis.call('HSET', rooms, group, whole(wanted) .. '|' .. whole(epoch), '*', whole(sum))
return { 'ROOM', whole(wanted), whole(epoch) }
