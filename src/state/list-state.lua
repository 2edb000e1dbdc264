#!lua flags=no-writes,allow-oom
--[[
  List the entries whose keys begin with a prefix, in the order of their keys.

  A page begins after the last key of the page before, so a key is listed once whatever is written meanwhile.

  KEYS      a group of state, see lua/group.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   prefix
  ARGV[3]   only after this key, or empty            ARGV[4]   most keys looked at
  ARGV[5]   most bytes of values, but for the first

  Returns {"LISTED", after which key to go on, empty at the end, {key, entry, value, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/group.lua
--@include lua/entry.lua
if late() then return { 'LATE' } end
local prefix, after, most, mostBytes = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local from = after ~= '' and '(' .. after or prefix ~= '' and '[' .. prefix or '-'
-- No key has a character as high as the tilde.
local upTo = prefix ~= '' and '(' .. prefix .. '~' or '+'
local list, bytes, last = {}, 0, ''
local keys = redis.call('ZRANGEBYLEX', group.order, from, upTo, 'LIMIT', 0, most)
for n, key in ipairs(keys) do
  local entry, text = getEntry(key)
  if isLive(entry) then
    bytes = bytes + entry.bytes
    if #list > 0 and bytes > mostBytes then break end
    list[#list + 1] = key
    list[#list + 1] = text
    list[#list + 1] = redis.call('HGET', group.values, key)
  end
  last = n == #keys and n < most and '' or key
end
return { 'LISTED', last, list }
