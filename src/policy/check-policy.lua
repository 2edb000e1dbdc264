#!lua flags=
--[[
  Decide a step by what rules said and by the limits that hold for it, count it, hold what it may cost, and record it.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/use.lua
  ARGV[3]   operation                                ARGV[4]   digest of what was asked
  ARGV[5]   attempt                                  ARGV[6]   how long the operation, or what the call was counted in, is
            remembered, ms
  ARGV[7]   what rules said: allow, deny or require_approval
  ARGV[8]   first: where a person has to agree, only say so · asked: one was · approved: one did ·
            refused: one did not
  ARGV[9]   audit row up to what comes out, or empty   ARGV[10]  what stands before its reasons where it is an allow
  ARGV[11]  the rules, in words
  ARGV[12]  records of the decision, a line for each step of the call: what rules said of it, how many of the limits that
            follow are its own, the ids of the rules that say it as JSON, and the rest of its JSON; - in place of the first, and
            nothing in that of the last two, for a step that is not recorded
  ARGV[13]  what else the answer tells, opaque       ARGV[14]  id of the reservation, or empty
  ARGV[15]  what it holds, millionths                ARGV[16]  agent
  ARGV[17]  the caller's name for this call, which is decided anew each time and counted once in a window, or empty; behind it a
            line for each that it asks for behind this one, under its own name: for rules about counts those are not there yet
  ARGV[18]  how many counters follow
  ARGV[19…] counters: field, window in ms, 1 when this step counts, and how often was assumed, or empty; then
            limits: field, id, most, window in ms, what the step takes of it, effect,
            release or charge (held until it is settled), count (used at once) or look (neither), 1 when only tried out

  An answer is the line "effect at-ms reservation expires-ms" (- and 0 without one), a line "field used held most ends-ms
  exceeded shadow" for each limit, and what else it tells. Nothing is held, counted or recorded with any of the others. What a
  call of that name was counted in is remembered as lines "field until-ms", which is no longer than the operation is, however
  often it is made.

  Returns {"ANSWERED", answer} · {"REPLAYED", answer} · {"ASK", answer} · {"CHANGED", how often each counter is} ·
          {"REUSED"} · {"FULL"} (more than sums of an agent and day are exact to) · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/operations.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/use.lua
if late() then return { 'LATE' } end
local operation, digest, attempt, keepMs, ruled, stage = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local head, right, rules, recorded, told = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local reservation, amount, agent = ARGV[14], tonumber(ARGV[15]), ARGV[16]
local callName, behind = string.match(ARGV[17], '^([^\n]*)\n?(.*)$')
local function rowOf(effect, reasons)
  if head == '' then return '' end
  if effect == 'allow' then return head .. '"allow","y":"' .. right .. reasons .. '"}' end
  if effect == 'deny' then return head .. '"deny","y":"policy.denied: ' .. reasons .. '"}' end
  return head .. '"refuse","y":"policy.approval_required: ' .. reasons .. '"}'
end

-- What was not allowed is remembered for our own repetition alone: the caller may ask again with the same key.
local own = 'a|' .. attempt
local known, answer = recallOperation(slot.operations, slot.operationExpiry, operation, digest, attempt)
if not known and operation ~= own then
  known, answer = recallOperation(slot.operations, slot.operationExpiry, own, digest, attempt)
end
if known == 'CONFLICT' then return { 'REUSED' } end
if known == 'REPLAYED' then audit(slot.audit, rowOf('allow', 'replayed')) end
if known then
  local again = known == 'REPLAYED'
  return { again and 'REPLAYED' or 'ANSWERED', answer }
end

-- What this call was counted in before, when it was let pass and nothing came of it: each field, and until when it counts there.
local function countedBefore(name)
  local counted = {}
  local word, text = recallOperation(slot.operations, slot.operationExpiry, name, '', attempt)
  for field, ends in string.gmatch(word and text or '', '(%S+) (%d+)') do
    if tonumber(ends) > nowMs then counted[field] = ends end
  end
  return counted
end
local countedIn, earlier = {}, {}
if callName ~= '' then
  countedIn = countedBefore(callName)
  for field in pairs(countedIn) do earlier[field] = 1 end
end
if tonumber(ARGV[18]) > 0 then
  for name in string.gmatch(behind, '[^\n]+') do
    for field in pairs(countedBefore(name)) do earlier[field] = (earlier[field] or 0) + 1 end
  end
end
local function noteCounted(what)
  countedIn[what.field] = countedIn[what.field] or whole(math.min(what.ends, nowMs + keepMs))
end
local at, counters, counts, hasChanged = 19, {}, {}, false
for n = 1, tonumber(ARGV[18]) do
  local begin, ends = windowOf(tonumber(ARGV[at + 1]))
  local counter = { field = ARGV[at] .. '|' .. begin, ends = ends, isCounted = ARGV[at + 2] == '1' }
  counters[n] = counter
  counts[n] = redis.call('HGET', slot.counts, counter.field) or '0'
  if earlier[counter.field] then counts[n] = whole(math.max(tonumber(counts[n]) - earlier[counter.field], 0)) end
  if ARGV[at + 3] ~= '' and ARGV[at + 3] ~= counts[n] then hasChanged = true end
  at = at + 4
end
if hasChanged then return { 'CHANGED', counts } end
local limits = {}
for n = at, #ARGV, 8 do
  local begin, ends = windowOf(tonumber(ARGV[n + 3]))
  local field = ARGV[n] .. '|' .. begin
  table.insert(limits, {
    field = field, id = ARGV[n + 1], most = tonumber(ARGV[n + 2]), ends = ends,
    takes = countedIn[field] and 0 or tonumber(ARGV[n + 4]), effect = ARGV[n + 5], manner = ARGV[n + 6], isShadow = ARGV[n + 7] == '1',
  })
end

-- All limits are looked at before any is touched. One that several steps of a call take from is there once for each.
-- The effect, and whether one is exceeded.
local severity = { allow = 0, require_approval = 1, deny = 2 }
local function look()
  local effect, isExceeded, before = ruled, false, {}
  for _, limit in ipairs(limits) do
    limit.used, limit.held = readUse(limit.field)
    local sum = limit.used + limit.held + limit.takes + (before[limit.field] or 0)
    before[limit.field] = (before[limit.field] or 0) + limit.takes
    limit.isExceeded = sum > limit.most
    isExceeded = isExceeded or limit.isExceeded
    if sum > mostExact then limit.effect, limit.isShadow = 'deny', false end
    if limit.isExceeded and not limit.isShadow and severity[limit.effect] > severity[effect] then effect = limit.effect end
  end
  return effect, isExceeded
end
local effect, isExceeded = look()
if isExceeded then
  -- Some may be held by reservations that are over.
  for _ = 1, 10 do if upkeep(100) < 100 then break end end
  effect = look()
end
if stage == 'approved' and effect == 'require_approval' then effect = 'allow' end
if stage == 'asked' and effect == 'allow' then effect = 'require_approval' end
if stage == 'refused' then effect = 'deny' end
local isAllowed = effect == 'allow'
local isReserved = isAllowed and reservation ~= ''
local expires, day = nowMs + reservationMs, whole(math.floor(nowMs / dayMs))
if isReserved and not figureFits(agent, day, 'estimated', amount) then return { 'FULL' } end
local function answerText()
  local lines = { table.concat({ effect, whole(nowMs), isReserved and reservation or '-', isReserved and whole(expires) or '0' }, ' ') }
  for _, limit in ipairs(limits) do
    table.insert(lines, table.concat({
      limit.field, whole(limit.used), whole(limit.held), whole(limit.most), whole(limit.ends),
      limit.isExceeded and '1' or '0', limit.isShadow and '1' or '0',
    }, ' '))
  end
  table.insert(lines, told)
  return table.concat(lines, '\n')
end
if effect == 'require_approval' and stage == 'first' then return { 'ASK', answerText() } end

-- A rule that would have allowed it is no reason for a limit that does not.
local reasons = { effect == ruled and rules or nil }
for _, limit in ipairs(limits) do
  if limit.isExceeded and not limit.isShadow then table.insert(reasons, 'limit ' .. limit.id) end
end
if #reasons == 0 then reasons[1] = rules end
audit(slot.audit, rowOf(effect, table.concat(reasons, ', ')))
for _, counter in ipairs(counters) do
  if counter.isCounted and not countedIn[counter.field] then
    if redis.call('HINCRBY', slot.counts, counter.field, 1) == 1 then
      redis.call('ZADD', slot.windows, whole(counter.ends), counter.field)
    end
    noteCounted(counter)
  end
end
local holds = {}
for _, limit in ipairs(limits) do
  if isAllowed and limit.manner ~= 'look' then
    limit.used, limit.held = readUse(limit.field)
    if limit.manner == 'count' then
      limit.used = limit.used + limit.takes
      noteCounted(limit)
    else
      limit.held = limit.held + limit.takes
      table.insert(holds, {
        field = limit.field, unsettled = limit.manner, ends = limit.ends, isShadow = limit.isShadow,
      })
    end
    writeUse(limit.field, limit.used, limit.held, limit.most)
    redis.call('ZADD', slot.windows, whole(limit.ends), limit.field)
  end
end
if isReserved then
  writeReservation(reservation, {
    state = 'open', agent = agent, amount = amount, expires = expires, day = day, cost = 0, holds = holds,
  })
  addFigure(agent, day, 'estimated', amount)
end
local records, steps, before = {}, 0, 0
for line in string.gmatch(recorded, '[^\n]+') do
  local record = { exceeded = {}, tried = {} }
  local ruled, own, rules, rest = string.match(line, '^(%S+) (%d+) (%S*) (.*)$')
  local said = ruled
  for n = before + 1, before + tonumber(own) do
    local limit = limits[n]
    if limit.isExceeded and limit.isShadow then
      table.insert(record.tried, '{"id":"' .. limit.id .. '","effect":"' .. limit.effect .. '"}')
    elseif limit.isExceeded then
      table.insert(record.exceeded, '"' .. limit.id .. '"')
      if said ~= '-' and severity[limit.effect] > severity[said] then said = limit.effect end
    end
  end
  -- Rules that say less than a limit did not decide.
  record.rest = '"rules":' .. (said == ruled and rules or '[]') .. ',' .. rest
  if said == 'require_approval' and stage == 'approved' then said = 'allow' end
  if said == 'require_approval' and stage == 'refused' then said = 'deny' end
  record.said = said
  if said ~= '-' then table.insert(records, record) end
  steps, before = steps + 1, before + tonumber(own)
end
for _, record in ipairs(records) do
  local said, call = effect, ''
  if steps > 1 then
    said = record.said
    call = '"call":{"effect":"' .. effect .. '","steps":' .. whole(steps) .. ',"recorded":' .. whole(#records) .. '},'
  end
  redis.call('LPUSH', slot.decisions, '{"at":' .. whole(nowMs) .. ',"effect":"' .. said .. '","limits":[' ..
    table.concat(record.exceeded, ',') .. '],"shadowLimits":[' .. table.concat(record.tried, ',') .. '],' .. call .. record.rest)
end
redis.call('LTRIM', slot.decisions, 0, decisionsMost - 1)
local text = answerText()
rememberOperation(slot.operations, slot.operationExpiry, isAllowed and operation or own, digest, attempt, text,
  isAllowed and operation ~= own and keepMs or attemptMs)
if callName ~= '' and isAllowed then
  local lines = {}
  for field, ends in pairs(countedIn) do table.insert(lines, field .. ' ' .. ends) end
  rememberOperation(slot.operations, slot.operationExpiry, callName, '', attempt, table.concat(lines, '\n'), keepMs)
end
forgetOldOperations(slot.operations, slot.operationExpiry)
upkeep(10)
return { 'ANSWERED', text }
