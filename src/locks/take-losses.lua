#!lua flags=allow-oom
--[[
  Take, to tell of it, what earlier runs of an agent lost when they ended otherwise than by their client. Taken once.

  KEYS      the locks of a namespace, see lua/slot.lua; then
  KEYS[20]  what runs of the agent lost (string)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   this call

  Returns {"TAKEN", how many more there were, {what it was, id, resources on a line each, …}, how many other runs of the
          agent hold or wait, or lost something that they were not told} with held or waiting · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include lua/request.lua
--@include lua/losses.lua
if late() then return { 'LATE' } end
local lost, run, call = KEYS[20], ARGV[3], ARGV[4]
local takenBy, more, lines = readLosses(lost)
local told = {}
if takenBy == '' or takenBy == call then
  -- Kept for our own repetition of this call.
  putLosses(lost, call, more, lines, 60000)
  for what, id, resources in string.gmatch(lines, '(%a+)|([^\t\n]+)\t([^\n]*)') do
    for _, word in ipairs({ what, id, (string.gsub(resources, '\t', '\n')) }) do told[#told + 1] = word end
  end
else more = 0 end
local others, seen = 0, { [run] = true }
for _, key in ipairs({ slot.runs, slot.untold }) do
  for _, other in ipairs(redis.call('HKEYS', key)) do
    -- What hooks reserve is given back by the hook of the turn's end, and no run is told of it.
    if not seen[other] and not isHook(other) and agentOf(other) == agentOf(run) then
      seen[other] = true
      others = others + 1
    end
  end
end
return { 'TAKEN', whole(more), told, whole(others) }
