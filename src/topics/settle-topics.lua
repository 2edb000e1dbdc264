#!lua flags=allow-oom
--[[
  Settle, give back or prolong what is open at one agent in one root. Repeating it changes nothing more.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  open of the agent (hash)
  KEYS[13]  audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   done, retry, extend or whole             ARGV[4]   delay of a retry, ms
  ARGV[5]   attempt; for whole the name of the page it is from now on
  ARGV[6]   audit row, recorded when an id is open here; empty for none
  ARGV[7…]  ids

  Returns {"DONE", {id, word, at ms, …}, 1 if the decision is recorded now or was before} with SETTLED · RETRYING · EXTENDED · NOT_OPEN for each id that is of this root ·
          {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/root.lua
local agentDeliveries, agentOpen = KEYS[11], KEYS[12]
--@include lua/open.lua
if late() then return { 'LATE' } end
local auditRows, row = KEYS[13], ARGV[6]
local agent, outcome, delayMs, attempt = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local repeated = redis.call('HGET', agentDeliveries, 'settled-by') == attempt
local results, gaveBack, recorded = {}, false, repeated
local function act(id)
  local text = redis.call('HGET', agentOpen, id)
  local record = text and readOpen(text)
  if not record then
    if repeated and outcome == 'done' then return 'SETTLED', nowMs end
    if redis.call('HEXISTS', root.facts, id) == 1 then return 'NOT_OPEN', 0 end
    return nil
  end
  if not recorded then
    audit(auditRows, row)
    recorded = true
  end
  if outcome == 'done' then
    closeOpen(id)
    return 'SETTLED', nowMs
  end
  if record.state ~= 'open' then
    if repeated and outcome == 'retry' then return 'RETRYING', tonumber(record.due) end
    return 'NOT_OPEN', 0
  end
  if outcome == 'retry' then
    giveBack(id, record, nowMs + delayMs)
    gaveBack = true
    return 'RETRYING', nowMs + delayMs
  end
  -- Its cut text was read to the end: as a page of its own it is settled by the next, if this one arrives.
  if outcome == 'whole' then record.cut, record.batch = '0', attempt else record.since = whole(nowMs) end
  putOpen(id, record)
  return 'EXTENDED', nowMs
end
for n = 7, #ARGV do
  local word, at = act(ARGV[n])
  if word then
    results[#results + 1] = ARGV[n]
    results[#results + 1] = word
    results[#results + 1] = whole(at)
  end
end
if #results > 0 and not repeated then
  changed()
  redis.call('HSET', agentDeliveries, 'settled-by', attempt)
end
if gaveBack then redis.call('PUBLISH', root.channel, '@' .. agent) end
return { 'DONE', results, recorded and '1' or '0' }
