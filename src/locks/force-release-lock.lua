#!lua flags=allow-oom
--[[
  Take a lease, an offer or a place from whoever has it, and write down who did so and why.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   id of the lease or ticket                ARGV[4]   who does it
  ARGV[5]   why, opaque                              ARGV[6]   this call
  ARGV[7]   how many such notes are kept
  ARGV[8]   audit rows of the release, a line each   ARGV[9]   audit row where there is nothing of that id
  ARGV[10]  operation, or empty for none             ARGV[11]  digest of what was asked
  ARGV[12]  how long the call is remembered, ms      ARGV[13]  how long whoever had it can be told why, ms

  Returns {"FORCED", 1 if it was done before, run that had it, agent that is next, …} · {"UNKNOWN"} · {"CONFLICT"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local id, by, why, call, most = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local digest, keepMs, toldMs = ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])
local operation = ARGV[10] ~= '' and ARGV[10] or call
local request = getRequest(id)
local word, answer = recallOperation(slot.operations, slot.operationExpiry, operation, digest, call)
if word == 'CONFLICT' then return { 'CONFLICT' } end
audit(slot.audit, (word or request) and ARGV[8] or ARGV[9])
if word then
  local told = { 'FORCED', word == 'REPLAYED' and '1' or '0' }
  for part in string.gmatch(answer, '[^,]+') do told[#told + 1] = part end
  return told
end
if not request then return { 'UNKNOWN' } end
moveTime()
hint(id)
if request.state ~= 'cooling' then noteUntold(request) end
finish(request)
local offered = handOn()
expireDue(200)
handOn()
redis.call('LPUSH', slot.forced, table.concat({ whole(nowMs), by, request.id, request.run, why }, '|') .. '\n' .. table.concat(request.resources, '\n'))
redis.call('LTRIM', slot.forced, 0, most - 1)
rememberOperation(slot.operations, slot.operationExpiry, operation, digest, call, table.concat({ request.run, unpack(offered, 1, 10) }, ','), keepMs)
-- Whoever had it is told by whom and why.
rememberOperation(slot.operations, slot.operationExpiry, 'forced ' .. id, '', call, by .. '|' .. why, toldMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
tell(true)
return { 'FORCED', '0', request.run, unpack(offered, 1, 10) }
