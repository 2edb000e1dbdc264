#!lua flags=
--[[
  Write a topic root into the directory before its first use. Repeating it changes nothing.

  KEYS[1]   roots (hash)                             KEYS[2]   channel of the directory
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   root

  Returns {"REGISTERED", its number} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local roots, channel, name = KEYS[1], KEYS[2], ARGV[2]
local known = redis.call('HGET', roots, name)
if known then return { 'REGISTERED', known } end
local number = whole(redis.call('HLEN', roots) + 1)
redis.call('HSET', roots, name, number)
redis.call('PUBLISH', channel, 'root')
return { 'REGISTERED', number }
