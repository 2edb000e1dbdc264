#!lua flags=no-writes
--[[
  The runs that hold or wait, or lost something that they were not told, but for those of edit hooks.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua

  Returns {"LISTED", {run, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local runs, seen = {}, {}
for _, key in ipairs({ slot.runs, slot.untold }) do
  for _, run in ipairs(redis.call('HKEYS', key)) do
    if not seen[run] and not isHook(run) then
      seen[run] = true
      runs[#runs + 1] = run
    end
  end
end
return { 'LISTED', runs }
