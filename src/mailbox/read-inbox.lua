#!lua flags=allow-oom
--[[
  Settle what an earlier page delivered, and deliver the next page to a run. The same batch again gets the same page.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   batch: the name of this page
  ARGV[5]   most messages                            ARGV[6]   most bytes; one message is always delivered
  ARGV[7]   how long a claim lasts, ms               ARGV[8]   batches that were seen, separated by commas
  ARGV[9]   batches that were not seen               ARGV[10]  only this sender, or empty
  ARGV[11]  only this thread, or empty               ARGV[12]  least priority, 0 to 3
  ARGV[13]  only these ids, separated by commas, or empty
  ARGV[14]  where to go on looking, as priority:offset, or empty
  ARGV[15]  bytes from which on a message is cut in the reply, and so not settled by the next page
  ARGV[16]  1 for a caller without a session: what it does not name as seen comes again after the claim time
  ARGV[17]  audit row, or empty when it was recorded before

  Returns {"PAGE", counts, {id, record, body, …}, {other run, …}, {id to remind of, record, body, …}, where to go on}
          · {"LATE"}
  counts: ready, urgent, open, dead letters, next due ms, notices to send
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
--@include lua/upkeep.lua
if late() then return { 'LATE' } end
local run, batch, most, mostBytes = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local claimMs, seen, unseen = tonumber(ARGV[7]), ARGV[8], ARGV[9]
local sender, thread, leastPriority, wanted, from = ARGV[10], ARGV[11], tonumber(ARGV[12]), ARGV[13], ARGV[14]
local cutBytes, sessionless, row = tonumber(ARGV[15]), ARGV[16] == '1', ARGV[17]

local page, delivered, bytes = {}, {}, 0
local function append(id, record)
  page[#page + 1] = id
  page[#page + 1] = writeRecord(record)
  page[#page + 1] = redis.call('HGET', box.messages, id) or ''
end

-- Only the run that got a batch may say that it was seen or not.
local function idsOf(name)
  local text = redis.call('HGET', box.batches, name)
  local owner, ids = string.match(text or '', '^([^|]*)|(.*)$')
  if not owner or agentOf(owner) ~= agentOf(run) then return function() end end
  redis.call('HDEL', box.batches, name)
  return string.gmatch(ids, '[^,]+')
end
local function eachOf(names, act)
  for name in string.gmatch(names, '[^,]+') do
    for id in idsOf(name) do
      local record = getRecord(id)
      if record and record.state == 'open' and record.batch == name then act(id, record) end
    end
  end
end

local where = ''
local known = redis.call('HGET', box.batches, batch)
if known then
  for id in string.gmatch(string.match(known, '|(.*)$'), '[^,]+') do
    local record = getRecord(id)
    if record then append(id, record) end
  end
else
  audit(box.audit, row)
  eachOf(seen, function(id, record)
    if not has(record, 'a') and not has(record, 'j') and not has(record, 'c') then toHistory(id, record, 'settled') end
  end)
  local gaveBack = false
  eachOf(unseen, function(id, record)
    record.count = record.count - 1
    toReady(id, record)
    gaveBack = true
  end)
  -- Another read may have looked, and waits.
  if gaveBack then redis.call('PUBLISH', box.channel, 'given back') end
  upkeep(50)

  local function deliver(id, record)
    if #delivered > 0 and bytes + record.bytes > mostBytes then return false end
    if record.bytes > cutBytes and not has(record, 'c') then record.flags = record.flags .. 'c' end
    if sessionless and not has(record, 'l') then record.flags = record.flags .. 'l'
    elseif not sessionless then record.flags = string.gsub(record.flags, 'l', '') end
    local lasts = (has(record, 'j') or sessionless) and claimMs or limits.unconfirmedMs
    toOpen(id, record, run, batch, nowMs + lasts)
    if has(record, 'a') and not has(record, 'j') and record.reminded < 2 then
      redis.call('ZADD', box.reminders, whole(nowMs + 300000), id)
    end
    bytes = bytes + record.bytes
    delivered[#delivered + 1] = id
    append(id, record)
    return #delivered < most
  end
  local function fits(record)
    return record.expires > nowMs and (sender == '' or record.sender == sender)
      and (thread == '' or record.thread == thread)
  end
  if wanted ~= '' then
    for id in string.gmatch(wanted, '[^,]+') do
      local record = getRecord(id)
      if record and record.state == 'ready' and record.expires > nowMs and not deliver(id, record) then break end
    end
  elseif most > 0 then
    local startPriority, startOffset = string.match(from, '^(%d):(%d+)$')
    local looked, going = 0, true
    for priority = tonumber(startPriority or '3'), leastPriority, -1 do
      local offset = startOffset and priority == tonumber(startPriority) and tonumber(startOffset) or 0
      while going do
        local ids = redis.call('ZRANGE', box.ready[priority], offset, offset + most - 1)
        if #ids == 0 then break end
        for _, id in ipairs(ids) do
          looked = looked + 1
          local record = getRecord(id)
          if not record then redis.call('ZREM', box.ready[priority], id)
          elseif fits(record) then going = deliver(id, record)
          else offset = offset + 1 end
          if not going then break end
        end
        if going and looked >= 1000 then
          where = priority .. ':' .. whole(offset)
          going = false
        end
      end
      if not going then break end
    end
  end
  if #delivered > 0 then redis.call('HSET', box.batches, batch, run .. '|' .. table.concat(delivered, ',')) end
end

local others = {}
for _, other in ipairs(redis.call('HKEYS', box.runs)) do
  if other ~= run and #others < 20 then others[#others + 1] = other end
end
local reminders = {}
-- A page that holds nothing is shown to nobody.
for _, id in ipairs(most > 0 and due(box.reminders, 5) or {}) do
  local record = getRecord(id)
  if record and record.state == 'open' then
    record.reminded = record.reminded + 1
    if record.reminded >= 2 then
      redis.call('ZREM', box.reminders, id)
      notify(id, { 'unanswered', record.sender, '', record.reminded, '' })
    else redis.call('ZADD', box.reminders, whole(nowMs + 1800000), id) end
    putRecord(id, record)
    reminders[#reminders + 1] = id
    reminders[#reminders + 1] = writeRecord(record)
    reminders[#reminders + 1] = redis.call('HGET', box.messages, id) or ''
  else redis.call('ZREM', box.reminders, id) end
end
return { 'PAGE', counts(agentOf(run)), page, others, reminders, where }
