#!lua flags=allow-oom
--[[
  Give back at once what is open at a run that is gone. Jobs count it as a failure; mail does not.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   run, as agent/id                         ARGV[4]   where to go on in the open set
  ARGV[5]   1 when the run ended in good order, so that its jobs did not fail

  Returns {"RELEASED", given back, outbox entries, where to go on or empty} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local run, offset, inGoodOrder = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local given, where = 0, ''
if redis.call('HEXISTS', box.runs, run) == 1 then
  local ids = redis.call('ZRANGE', box.open, offset, offset + 499)
  local kept = 0
  for _, id in ipairs(ids) do
    local record = getRecord(id)
    if record and record.run == run then
      if has(record, 'j') and not inGoodOrder then toFailed(id, record, 'run_gone', 0) else toReady(id, record) end
      given = given + 1
    else kept = kept + 1 end
  end
  if #ids == 500 then where = whole(offset + kept) end
end
if given > 0 then redis.call('PUBLISH', box.channel, 'given back') end
return { 'RELEASED', whole(given), whole(redis.call('HLEN', box.outbox)), where }
