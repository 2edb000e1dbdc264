#!lua flags=allow-oom
--[[
  Note whose message or decision a run waits for while it holds something, so that whoever waits for that is warned, also
  who does so already.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   agent it waits for, or empty when it waits no more

  Returns {"NOTED", {agent, resource or empty, agent that it waits for, …}}, the circle that this wait closes · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/awaiting.lua
if late() then return { 'LATE' } end
local run, agent = ARGV[3], ARGV[4]
if agent == '' then
  redis.call('HDEL', slot.awaiting, run)
  return { 'NOTED', {} }
end
if redis.call('HEXISTS', slot.runs, run) == 0 then return { 'NOTED', {} } end
moveTime()
expireDue(200)
handOn()
redis.call('HSET', slot.awaiting, run, agent)
local circle = circleOfAwaited(run)
if #circle > 0 then
  for _, other in ipairs(redis.call('HKEYS', slot.runs)) do
    if agentOf(other) == agent then
      for id in string.gmatch(redis.call('HGET', slot.runs, other), '%S+') do
        local theirs = getRequest(id)
        if theirs and theirs.state == 'waiting' then hint(id) end
      end
    end
  end
end
tell(false)
return { 'NOTED', circle }
