#!lua flags=no-writes
--[[
  Tell of some resources which of them an agent lost and another one was granted since.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4…]  resources

  Returns {"LOOKED", {when it was lost, ms, or empty, who was granted it since, when, ms, …}} with three words for each resource · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local words = {}
for n = 4, #ARGV do
  for _, word in ipairs({ hadSince(ARGV[3], ARGV[n]) }) do words[#words + 1] = word end
end
return { 'LOOKED', words }
