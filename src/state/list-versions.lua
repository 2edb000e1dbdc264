#!lua flags=no-writes,allow-oom
--[[
  List the versions of a key that are kept, the newest first.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   key

  Returns {"VERSIONS", {entry, value, …}} with an empty value for a deletion or an expiry · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/group.lua
--@include lua/entry.lua
if late() then return { 'LATE' } end
local key, list = ARGV[2], {}
local entry, text = getEntry(key)
if not entry then return { 'VERSIONS', list } end
list = { text, redis.call('HGET', group.values, key) or '' }
local rows = {}
for row in string.gmatch(redis.call('HGET', group.history, key) or '', '[^,]+') do rows[#rows + 1] = row end
for n = #rows, 1, -1 do
  list[#list + 1] = rows[n]
  list[#list + 1] = redis.call('HGET', group.past, readEntry(rows[n]).version) or ''
end
return { 'VERSIONS', list }
