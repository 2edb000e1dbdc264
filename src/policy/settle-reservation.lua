#!lua flags=
--[[
  Charge what a reservation did cost, once, and give back what it holds.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/use.lua
  ARGV[3]   operation                                ARGV[4]   digest of what was asked
  ARGV[5]   attempt                                  ARGV[6]   how long the operation is remembered, ms
  ARGV[7]   id of the reservation                    ARGV[8]   whose it has to be, or empty for anybody's
  ARGV[9]   what it cost, millionths                 ARGV[10]  audit row

  An answer is the line "reserved cost late" with 1 when it was over already, and a line "field used held most ends-ms"
  for each limit whose window still runs, but for those that were only tried out.

  Returns {"SETTLED", answer} · {"REPLAYED", answer} · {"OTHERWISE", cost it was settled with} · {"UNKNOWN"} ·
          {"REUSED"} · {"FULL"} (more than a sum it is charged to is exact to) · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/use.lua
if late() then return { 'LATE' } end
local operation, digest, attempt, keepMs = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local id, agent, cost, row = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10]

local known, answer = recallOperation(slot.operations, slot.operationExpiry, operation, digest, attempt)
if known == 'CONFLICT' then return { 'REUSED' } end
if known == 'REPLAYED' then audit(slot.audit, row) end
if known then
  local again = known == 'REPLAYED'
  return { again and 'REPLAYED' or 'SETTLED', answer }
end
local reservation = readReservation(id)
if not reservation or (agent ~= '' and reservation.agent ~= agent) then return { 'UNKNOWN' } end
local isRepeated = reservation.state == 'settled'
if isRepeated and reservation.cost ~= cost then return { 'OTHERWISE', whole(reservation.cost) } end

local isLate = reservation.expires <= nowMs
-- What was charged when it was over is made good.
local function charged(hold)
  return cost - (reservation.state == 'expired' and hold.unsettled == 'charge' and reservation.amount or 0)
end
local function fits()
  for _, hold in ipairs(reservation.holds) do
    local used, held = readUse(hold.field)
    local released = reservation.state == 'open' and reservation.amount or 0
    if hold.ends > nowMs and used + held - released + charged(hold) > mostExact then return false end
  end
  return figureFits(reservation.agent, reservation.day, 'settled', cost)
end
if not isRepeated and not fits() then return { 'FULL' } end
audit(slot.audit, row)
if not isRepeated then
  if reservation.state == 'open' and isLate then expire(id, reservation) end
  change(reservation, reservation.state == 'open' and reservation.amount or 0, charged)
  reservation.state, reservation.cost = 'settled', cost
  writeReservation(id, reservation)
  addFigure(reservation.agent, reservation.day, 'settled', cost)
end
local lines = { table.concat({ whole(reservation.amount), whole(cost), isLate and '1' or '0' }, ' ') }
for _, hold in ipairs(reservation.holds) do
  local used, held, most = readUse(hold.field)
  if most and hold.ends > nowMs and not hold.isShadow then
    table.insert(lines, table.concat({ hold.field, whole(used), whole(held), whole(most), whole(hold.ends) }, ' '))
  end
end
local text = table.concat(lines, '\n')
if isRepeated then return { 'REPLAYED', text } end
rememberOperation(slot.operations, slot.operationExpiry, operation, digest, attempt, text, keepMs)
forgetOldOperations(slot.operations, slot.operationExpiry)
upkeep(10)
return { 'SETTLED', text }
