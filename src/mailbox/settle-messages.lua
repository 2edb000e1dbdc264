#!lua flags=allow-oom
--[[
  Settle, give back, reject or prolong deliveries of one agent. Repeating it changes nothing more.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   done, retry, reject, extend, touch or whole
  ARGV[5]   delay or prolongation in ms; -1 for the default
  ARGV[6]   how long a claim lasts, ms               ARGV[7]   longest a touched claim lasts from its delivery, ms
  ARGV[8]   attempt                                  ARGV[9]   operation, or empty for none
  ARGV[10]  digest of what was asked                 ARGV[11]  how long the operation is remembered, ms
  ARGV[12]  why, as the agent said it (base64url), or empty
  ARGV[13]  audit row, recorded when an id is of this mailbox; empty for none
  ARGV[14…] ids

  Returns {"DONE", outbox entries, {id, word, at ms, …}} with a word for each id: SETTLED · DELAYED · READY · DEAD ·
          EXTENDED · SUPERSEDED · NOT_OPEN · UNKNOWN · {"REPLAYED", outbox entries, the same list} · {"CONFLICT"} ·
          {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include ../redis/lua/operations.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local run, outcome, delayMs, claimMs = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local longestMs, attempt, operation, digest, keepMs = tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11])
local said, row = ARGV[12], ARGV[13]

local function act(id)
  local record = getRecord(id)
  if not record then return 'UNKNOWN', 0 end
  if record.run == '' then return 'UNKNOWN', 0 end
  audit(box.audit, row)
  row = ''
  local elsewhere = has(record, 'j') and record.state == 'open' and record.run ~= run
  if elsewhere or agentOf(record.run) ~= agentOf(run) then return 'SUPERSEDED', 0 end
  -- Our own repetition of a retry or reject finds what the first one did.
  if record.batch == attempt and record.state ~= 'open' then
    return record.state == 'delayed' and 'DELAYED' or record.state == 'dead' and 'DEAD' or 'READY', record.at
  end
  if outcome == 'done' then
    if record.state == 'settled' then return 'SETTLED', record.at end
    if not isUnsettled(record) and record.state ~= 'unconfirmed' then return 'NOT_OPEN', 0 end
    toHistory(id, record, 'settled')
    return 'SETTLED', nowMs
  end
  if record.state ~= 'open' then return 'NOT_OPEN', 0 end
  if outcome == 'whole' then
    -- Its cut text was read to the end: as a page of its own it is settled by the next, if this one arrives.
    record.flags = string.gsub(record.flags, 'c', '')
    record.batch = attempt
    redis.call('HSET', box.batches, attempt, record.run .. '|' .. id)
    putRecord(id, record)
    return 'EXTENDED', record.at
  end
  if outcome == 'extend' or outcome == 'touch' then
    local untilMs = nowMs + (delayMs >= 0 and delayMs or claimMs)
    if outcome == 'touch' then untilMs = math.min(untilMs, record.openedAt + longestMs) end
    if untilMs > record.at then
      record.at = untilMs
      redis.call('ZADD', box.open, whole(untilMs), id)
      putRecord(id, record)
    end
    return 'EXTENDED', record.at
  end
  local word
  record.batch = attempt
  record.said = said
  if outcome == 'reject' then
    record.failures = record.failures + 1
    toDead(id, record, 'rejected')
    word = 'DEAD'
  elseif has(record, 'j') then
    word = toFailed(id, record, 'failed', delayMs >= 0 and delayMs or backoffMs(record.failures))
  elseif delayMs > 0 then
    toDelayed(id, record, nowMs + delayMs)
    word = 'DELAYED'
  else
    toReady(id, record)
    word = 'READY'
  end
  return word, record.at
end

local results, concerned = {}, false
if operation ~= '' then
  local known, answer = recallOperation(box.operations, box.operationExpiry, operation, digest, attempt)
  if known == 'CONFLICT' then return { 'CONFLICT' } end
  if known then
    for word in string.gmatch(answer, '[^,]+') do results[#results + 1] = word end
    local pending = whole(redis.call('HLEN', box.outbox))
    if known == 'SAME' then return { 'DONE', pending, results } end
    return { 'REPLAYED', pending, results }
  end
end
for n = 14, #ARGV do
  local word, at = act(ARGV[n])
  if word ~= 'UNKNOWN' then concerned = true end
  results[#results + 1] = ARGV[n]
  results[#results + 1] = word
  results[#results + 1] = whole(at)
end
if operation ~= '' and concerned then
  rememberOperation(box.operations, box.operationExpiry, operation, digest, attempt, table.concat(results, ','), keepMs)
  forgetOldOperations(box.operations, box.operationExpiry)
end
if outcome == 'retry' then redis.call('PUBLISH', box.channel, 'given back') end
return { 'DONE', whole(redis.call('HLEN', box.outbox)), results }
