#!lua flags=allow-oom
--[[
  Give back what is open at a run that is gone, so that the agent's next run gets it.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  open of the agent (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   run, as agent/id
  ARGV[3]   agent

  Returns {"RELEASED", how many} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
local agentDeliveries, agentOpen = KEYS[11], KEYS[12]
--@include lua/open.lua
if late() then return { 'LATE' } end
local run, agent = ARGV[2], ARGV[3]
local given = 0
local all = redis.call('HGETALL', agentOpen)
for n = 1, #all, 2 do
  local record = readOpen(all[n + 1])
  if record.state == 'open' and record.run == run then
    giveBack(all[n], record, 0)
    given = given + 1
  end
end
if given > 0 then
  changed()
  redis.call('PUBLISH', root.channel, '@' .. agent)
end
return { 'RELEASED', whole(given) }
