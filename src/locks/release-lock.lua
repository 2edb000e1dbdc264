#!lua flags=allow-oom
--[[
  Give a lease back, decline an offer or leave the queue, whatever it is by now; the next one is told, and so is another
  run of the agent when it was that one's.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   id of the lease or ticket
  ARGV[5]   this call                                ARGV[6]   operation, or empty for none
  ARGV[7]   digest of what was asked                 ARGV[8]   how long the call is remembered, ms
  ARGV[9]   audit rows, a line each

  Returns {"RELEASED", what it was, 1 if it was done before, another run of the agent if that had it, agent that is next, …}
          with held, offered or waiting ·
          {"GONE", the last token that was given out when it was lost, or 0 where that is not known} also where it is another
          agent's, which is not told · {"CONFLICT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local run, id, call, operation, digest, keepMs = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local audited = audit(slot.audit, ARGV[9])
local name = operation ~= '' and operation or call
local word, answer = recallOperation(slot.operations, slot.operationExpiry, name, digest, call)
if word == 'CONFLICT' then
  unaudit(slot.audit, audited)
  return { 'CONFLICT' }
end
if word then
  local told = { 'RELEASED' }
  for part in string.gmatch(answer, '[^,]+') do
    told[#told + 1] = part
    if #told == 2 then told[3] = word == 'REPLAYED' and '1' or '0' end
  end
  return told
end
moveTime()
if expireDue(200) then endIfDue(getRequest(id)) end
local request = getRequest(id)
if not request or request.state == 'cooling' or agentOf(request.run) ~= agentOf(run) then
  local lastThen = strikeUntold(run, id)
  handOn()
  tell(false)
  return { 'GONE', lastThen or '0' }
end
local was, told = request.state, {}
handOn()
if request.run ~= run then told[1] = request.run end
-- A call that waits with it hears that its place is given up, and another run that its lease is lost.
if was ~= 'held' or request.run ~= run then hint(id) end
-- A hook is told when its session edits that again.
if request.run ~= run then noteUntold(request, true) end
finish(request)
for _, agent in ipairs({ unpack(handOn(), 1, 10) }) do told[#told + 1] = agent end
rememberOperation(slot.operations, slot.operationExpiry, name, digest, call, table.concat({ was, unpack(told) }, ','), keepMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
tell(true)
return { 'RELEASED', was, '0', unpack(told) }
