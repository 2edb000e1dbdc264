#!lua flags=allow-oom
--[[
  Put dead letters back as if newly sent, or remove what their senders wrote for good.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   requeue or purge                         ARGV[4]   a requeued message expires, ms from now
  ARGV[5]   audit row, or empty when it was recorded before
  ARGV[6…]  ids; none for all (at most 500 at a call)

  Returns {"DONE", how many, how many are left} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
if late() then return { 'LATE' } end
local action, lifeMs, row = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local ids = {}
for n = 6, #ARGV do ids[#ids + 1] = ARGV[n] end
if #ids == 0 then ids = redis.call('ZRANGE', box.dead, 0, 499) end
audit(box.audit, row)
local done = 0
for _, id in ipairs(ids) do
  local record = getRecord(id)
  if record and record.state == 'dead' then
    if action == 'purge' then
      purge(id, record)
    else
      record.expires, record.failures, record.reason, record.batch = nowMs + lifeMs, 0, '', ''
      record.reminded, record.said = 0, ''
      toReady(id, record)
      count(record, 1)
    end
    done = done + 1
  end
end
if done > 0 and action == 'requeue' then redis.call('PUBLISH', box.channel, 'stored') end
return { 'DONE', whole(done), whole(redis.call('ZCARD', box.dead)) }
