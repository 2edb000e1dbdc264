#!lua flags=allow-oom
--[[
  Give back what a run that is over held, and take it out of every queue; or take all of that from one that goes on, because
  its agent was stopped. Nobody else's is touched.

  KEYS      the locks of a namespace, see lua/slot.lua; then
  KEYS[20]  what runs of its agent lost (string)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   1 when the run ended in good order
  ARGV[5]   1 when its agent is to be told of it     ARGV[6]   how many resources at once
  ARGV[7]   what its agent is to be told besides, since the run was told it in vain, lines as in lua/losses.lua
  ARGV[8]   1 where the run goes on, and is told itself what it lost

  Returns {"RELEASED", how many, how many are left} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
--@include lua/losses.lua
if late() then return { 'LATE' } end
local run, inGoodOrder, isToldOf, most = ARGV[3], ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6])
local goesOn = ARGV[8] == '1'
local ids, untold = redis.call('HGET', slot.runs, run), redis.call('HGET', slot.untold, run) or ''
redis.call('HDEL', slot.awaiting, run)
if not goesOn then redis.call('SREM', slot.absent, run) end
if not ids and untold == '' and ARGV[7] == '' then return { 'RELEASED', '0', '0' } end
moveTime()
local ended, left, lost = 0, 0, {}
local resourcesOfEnded = 0
for what, id, resources in string.gmatch((isToldOf and untold or '') .. ARGV[7], '(%a+)|([^|\t\n]+)[^\t\n]*\t([^\n]*)\n') do
  if what ~= 'given' then lost[#lost + 1] = { state = what, id = id, resources = { resources } } end
end
if not goesOn then redis.call('HDEL', slot.untold, run) end
for id in string.gmatch(ids or '', '%S+') do
  local request = getRequest(id)
  if resourcesOfEnded >= most then left = left + 1
  else
    ended = ended + 1
    resourcesOfEnded = resourcesOfEnded + math.max(request and #request.resources or 0, 1)
    if request and isToldOf then lost[#lost + 1] = { state = request.state, id = id, resources = request.resources } end
    if request and goesOn then
      -- Its next reply tells of it, and a hook's when its session edits that again. A call that waits is not woken: it hears
      -- that its agent was stopped, which says more than that its place is gone.
      hint('!' .. id)
      noteUntold(request)
    end
    if request and request.state == 'held' and not goesOn and (isToldOf or not inGoodOrder) then noteSince('l', request) end
    if not request then strike(slot.runs, run, id)
    elseif request.state == 'held' and not inGoodOrder then expire(request)
    else finish(request) end
  end
end
if #lost > 0 then
  noteLosses(KEYS[20], lost)
  -- A run of the agent that is there already, and has asked, asks again.
  hint('@' .. agentOf(run))
end
expireDue(200)
handOn()
tell(true)
return { 'RELEASED', whole(ended), whole(left) }
