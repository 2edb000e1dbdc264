#!lua flags=allow-oom
--[[
  Prolong leases of an agent: when asked to, or because its run called. Nothing is ever shortened.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4]   renew or touch
  ARGV[5]   how long a lease lasts from now, ms, or empty for what was asked before
  ARGV[6]   longest a touched lease lasts from its grant or renewal, ms
  ARGV[7]   audit rows, a line each
  ARGV[8…]  ids

  Returns {"RENEWED", {id, word, token, ends at ms, …}} with a word for each id: HELD · OFFERED · WAITING ·
          SKIPPED · LOST · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
local agent, how, leaseMs, longestMs = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
audit(slot.audit, ARGV[7])
moveTime()
expireDue(200)
handOn()
local function renew(request)
  if not request or agentOf(request.run) ~= agent or request.state == 'cooling' then return 'LOST' end
  if request.state == 'waiting' and request.skipped then return 'SKIPPED' end
  if request.state == 'waiting' then return 'WAITING' end
  if request.state == 'offered' then return 'OFFERED' end
  local ends = lockMs + (leaseMs or request.leaseMs)
  if how == 'touch' then ends = math.min(ends, request.base + longestMs)
  else request.base, request.leaseMs = lockMs, leaseMs or request.leaseMs end
  if how == 'renew' or ends > request.due then
    request.due = math.max(request.due, ends)
    putRequest(request)
  end
  return 'HELD'
end
local results = {}
for n = 8, #ARGV do
  local request = getRequest(ARGV[n])
  local word = renew(request)
  results[#results + 1] = ARGV[n]
  results[#results + 1] = word
  results[#results + 1] = request and word ~= 'LOST' and whole(request.token) or '0'
  results[#results + 1] = request and word ~= 'LOST' and request.due > 0 and asClock(endOf(request)) or '0'
end
tell(false)
return { 'RENEWED', results }
