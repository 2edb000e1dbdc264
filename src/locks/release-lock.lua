#!lua flags=allow-oom
--[[
  Give a lease back, decline an offer or leave the queue, whatever it is by now; the next one is told.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4]   id of the lease or ticket
  ARGV[5]   this call                                ARGV[6]   operation, or empty for none
  ARGV[7]   digest of what was asked                 ARGV[8]   how long the call is remembered, ms

  Returns {"RELEASED", what it was, 1 if it was done before, agent that is next, …} with held, offered or waiting ·
          {"GONE"} · {"NOT_YOURS"} · {"CONFLICT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local agent, id, call, operation, digest, keepMs = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local name = operation ~= '' and operation or call
local word, answer = recallOperation(slot.operations, slot.operationExpiry, name, digest, call)
if word == 'CONFLICT' then return { 'CONFLICT' } end
if word then
  local told = { 'RELEASED' }
  for part in string.gmatch(answer, '[^,]+') do
    told[#told + 1] = part
    if #told == 2 then told[3] = word == 'REPLAYED' and '1' or '0' end
  end
  return told
end
moveTime()
expireDue(200)
local request = getRequest(id)
if request and agentOf(request.run) ~= agent then
  handOn()
  tell(false)
  return { 'NOT_YOURS' }
end
if not request or request.state == 'cooling' then
  handOn()
  tell(false)
  return { 'GONE' }
end
local was = request.state
handOn()
finish(request)
local offered = handOn()
rememberOperation(slot.operations, slot.operationExpiry, name, digest, call, table.concat({ was, unpack(offered, 1, 10) }, ','), keepMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
tell(true)
return { 'RELEASED', was, '0', unpack(offered, 1, 10) }
