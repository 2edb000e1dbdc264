#!lua flags=no-writes,allow-oom
--[[
  Read what an agent follows, and the roots that exist when it follows a pattern that may mean any root.

  KEYS[1]   follows of the agent (hash)              KEYS[2]   roots (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   1 for the roots in any case

  Returns {"FOLLOWS", {field, value, …}, {root, number, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
if late() then return { 'LATE' } end
local follows, roots = redis.call('HGETALL', KEYS[1]), {}
local count = nil
local wanted = ARGV[2] == '1'
for n = 1, #follows, 2 do
  if string.sub(follows[n], 1, 9) == 'pattern:*' then
    count = count or redis.call('HLEN', KEYS[2])
    local seen = string.match(follows[n + 1], '^[^|]*|[^|]*|[^|]*|([^|]*)|')
    if tonumber(seen) < count then wanted = true end
  end
end
if wanted then roots = redis.call('HGETALL', KEYS[2]) end
return { 'FOLLOWS', follows, roots }
