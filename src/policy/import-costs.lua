#!lua flags=
--[[
  Add costs that an independent source reports to the figures of agents, each once.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/use.lua
  ARGV[3]   attempt                                  ARGV[4]   audit row
  ARGV[5…]  for each report: its name, agent, day since 1970, millionths, and once (a cost of its own) or sum
            (a sum that grows, of which what is new is added)

  Returns {"IMPORTED", how many were added, how many were known, how many of these with another cost} ·
          {"FULL", agent} (more than its sum of a day is exact to; none was added) · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/use.lua
if late() then return { 'LATE' } end
local attempt, row = ARGV[3], ARGV[4]
local own = 'a|' .. attempt
local known, answer = recallOperation(slot.operations, slot.operationExpiry, own, '', attempt)
if known then
  local added, seen, other = string.match(answer, '^(%d+) (%d+) (%d+)$')
  return { 'IMPORTED', added, seen, other }
end
-- What a report adds to what was known of it before, which is -1 of a cost that was not.
local function newOf(name, amount, manner)
  local before = tonumber(redis.call('HGET', slot.operations, name) or (manner == 'sum' and '0' or '-1'))
  return before, manner == 'sum' and amount - before or (before < 0 and amount or 0)
end
local sums = {}
for n = 5, #ARGV, 5 do
  local agent, day = ARGV[n + 1], ARGV[n + 2]
  local _, more = newOf(ARGV[n], tonumber(ARGV[n + 3]), ARGV[n + 4])
  local sum = (sums[agent .. '|' .. day] or 0) + math.max(more, 0)
  if not figureFits(agent, day, 'reported', sum) then return { 'FULL', agent } end
  sums[agent .. '|' .. day] = sum
end
audit(slot.audit, row)
local added, seen, other = 0, 0, 0
for n = 5, #ARGV, 5 do
  local name, agent, day, amount, manner = ARGV[n], ARGV[n + 1], ARGV[n + 2], tonumber(ARGV[n + 3]), ARGV[n + 4]
  local before, more = newOf(name, amount, manner)
  if before >= 0 and more <= 0 then
    seen = seen + 1
    if manner == 'once' and before ~= amount then other = other + 1 end
  else
    -- Remembered as long as the figures are: nothing is added twice to what is still shown.
    redis.call('HSET', slot.operations, name, whole(amount))
    redis.call('ZADD', slot.operationExpiry, whole(math.max(nowMs, (tonumber(day) + 1) * dayMs) + figuresMs), name)
    addFigure(agent, day, 'reported', more)
    added = added + 1
  end
end
local counts = whole(added) .. ' ' .. whole(seen) .. ' ' .. whole(other)
rememberOperation(slot.operations, slot.operationExpiry, own, '', attempt, counts, attemptMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
upkeep(10)
return { 'IMPORTED', whole(added), whole(seen), whole(other) }
