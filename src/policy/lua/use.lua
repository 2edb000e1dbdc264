-- What limits have used and hold in a window, and reservations: what is held until it is settled or over.
-- ARGV[2]: how long a reservation holds, how long an ended one is known, how long figures are kept, how long our own
-- repetition of a call is known, all ms; how many decisions are kept.
local reservationMs, endedMs, figuresMs, attemptMs, decisionsMost = string.match(ARGV[2], '^(%d+),(%d+),(%d+),(%d+),(%d+)$')
reservationMs, endedMs, figuresMs = tonumber(reservationMs), tonumber(endedMs), tonumber(figuresMs)
attemptMs, decisionsMost = tonumber(attemptMs), tonumber(decisionsMost)
-- Up to here sums are exact, here and in whoever reads them: what would go beyond is refused before anything is done.
local mostExact, dayMs = 9e15, 86400000
-- Windows follow each other from the beginning of 1970: when the running one began, as text, and when it ends.
local function windowOf(windowMs)
  local begin = math.floor(nowMs / windowMs) * windowMs
  return whole(begin), begin + windowMs
end
-- Of a limit in a window: used, held and most, in millionths or calls; kept as "used,held,most".
local function readUse(field)
  local text = redis.call('HGET', slot.counts, field)
  if not text then return 0, 0 end
  local used, held, most = string.match(text, '^(%d+),(%d+),(%d+)$')
  return tonumber(used), tonumber(held), tonumber(most)
end
local function writeUse(field, used, held, most)
  used, held = math.max(used, 0), math.max(held, 0)
  redis.call('HSET', slot.counts, field, whole(used) .. ',' .. whole(held) .. ',' .. whole(most))
end
-- What an agent was expected to cost, and did, on a day.
local function figureFits(agent, day, what, amount)
  return tonumber(redis.call('HGET', slot.figures, agent .. '|' .. day .. '|' .. what) or '0') + amount <= mostExact
end
local function addFigure(agent, day, what, amount)
  redis.call('HINCRBY', slot.figures, agent .. '|' .. day .. '|' .. what, whole(amount))
  redis.call('ZADD', slot.windows, whole((tonumber(day) + 1) * dayMs + figuresMs), 'f|' .. agent .. '|' .. day)
end
-- A reservation is "state|agent|amount|expires|day|cost", and a line "field unsettled ends" for each limit it holds of, with
-- the word shadow behind it where that was only tried out.
-- State: open, expired or settled; day: since 1970, of when it was made; cost: what it was settled with.
local function readReservation(id)
  local text = redis.call('HGET', slot.reservations, id)
  if not text then return nil end
  local state, agent, amount, expires, day, cost = string.match(text, '^(%a+)|([^|]*)|(%d+)|(%d+)|(%d+)|(%d+)')
  local reservation = {
    state = state, agent = agent, amount = tonumber(amount), expires = tonumber(expires), day = day, cost = tonumber(cost),
    holds = {},
  }
  for field, unsettled, ends, shadow in string.gmatch(text, '\n(%S+) (%a+) (%d+)( ?%a*)') do
    table.insert(reservation.holds, { field = field, unsettled = unsettled, ends = tonumber(ends), isShadow = shadow ~= '' })
  end
  return reservation
end
-- An open one is due when it ends unsettled, another when it is forgotten.
local function writeReservation(id, reservation)
  local lines = { table.concat({
    reservation.state, reservation.agent, whole(reservation.amount), whole(reservation.expires), reservation.day,
    whole(reservation.cost),
  }, '|') }
  for _, hold in ipairs(reservation.holds) do
    table.insert(lines, hold.field .. ' ' .. hold.unsettled .. ' ' .. whole(hold.ends) .. (hold.isShadow and ' shadow' or ''))
  end
  redis.call('HSET', slot.reservations, id, table.concat(lines, '\n'))
  redis.call('ZADD', slot.held, whole(reservation.state == 'open' and reservation.expires or nowMs + endedMs), id)
end
-- What is held and used changes in the windows that still run; those that are over count for nothing any more.
local function change(reservation, released, charged)
  for _, hold in ipairs(reservation.holds) do
    if hold.ends > nowMs then
      local used, held, most = readUse(hold.field)
      if most then writeUse(hold.field, used + charged(hold), held - released, most) end
    end
  end
end
local function expire(id, reservation)
  change(reservation, reservation.amount, function(hold) return hold.unsettled == 'charge' and reservation.amount or 0 end)
  reservation.state = 'expired'
  writeReservation(id, reservation)
end
-- What time alone has made due, a bounded part of it at each call: reservations that were not settled, those that are
-- not remembered any more, windows and figures. Answers how many reservations were due.
local function upkeep(most)
  local due = redis.call('ZRANGEBYSCORE', slot.held, '-inf', whole(nowMs), 'LIMIT', 0, most)
  for _, id in ipairs(due) do
    local reservation = readReservation(id)
    if reservation and reservation.state == 'open' then expire(id, reservation)
    else
      redis.call('HDEL', slot.reservations, id)
      redis.call('ZREM', slot.held, id)
    end
  end
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', slot.windows, '-inf', whole(nowMs), 'LIMIT', 0, most)) do
    local figure = string.match(field, '^f|(.*)$')
    if figure then redis.call('HDEL', slot.figures, figure .. '|estimated', figure .. '|settled', figure .. '|reported')
    else redis.call('HDEL', slot.counts, field) end
    redis.call('ZREM', slot.windows, field)
  end
  return #due
end
