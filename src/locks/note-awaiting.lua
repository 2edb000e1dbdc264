#!lua flags=allow-oom
--[[
  Note whose message or decision a run waits for while it holds something, or edit hooks of its agent do, so that whoever
  waits for that is warned, also who does so already.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   agent it waits for, or empty when it waits no more

  Returns {"NOTED", {agent, resource or empty, agent that it waits for or run of an edit hook, …}}, the circle that this wait
          closes · {"FREE"}, nothing is held that anybody could wait for · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/awaiting.lua
if late() then return { 'LATE' } end
local run, agent = ARGV[3], ARGV[4]
if agent == '' then
  redis.call('HDEL', slot.awaiting, run)
  return { 'NOTED', {} }
end
local isHolding = redis.call('HEXISTS', slot.runs, run) == 1
if not isHolding then
  for _, other in ipairs(redis.call('HKEYS', slot.awaiting)) do
    isHolding = isHolding or isHook(other) and agentOf(other) == agentOf(run)
  end
end
if not isHolding then
  redis.call('HDEL', slot.awaiting, run)
  return { 'FREE' }
end
moveTime()
expireDue(200)
handOn()
redis.call('HSET', slot.awaiting, run, agent)
local circle = circleOfAwaited(run, nil, true)
tell(false)
return { 'NOTED', circle }
