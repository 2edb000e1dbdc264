#!lua flags=
--[[
  Record decisions that counted and held nothing, of several that belong to one call, once however often it is sent.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/use.lua
  ARGV[3]   attempt
  ARGV[4…]  decisions, each as JSON from behind the time at which it was made

  Returns {"RECORDED"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include lua/use.lua
if late() then return { 'LATE' } end
local attempt = ARGV[3]
local own = 'a|' .. attempt
if recallOperation(slot.operations, slot.operationExpiry, own, '', attempt) then return { 'RECORDED' } end
for n = 4, #ARGV do redis.call('LPUSH', slot.decisions, '{"at":' .. whole(nowMs) .. ',' .. ARGV[n]) end
redis.call('LTRIM', slot.decisions, 0, decisionsMost - 1)
rememberOperation(slot.operations, slot.operationExpiry, own, '', attempt, '', attemptMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
upkeep(10)
return { 'RECORDED' }
