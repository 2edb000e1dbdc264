#!lua flags=no-writes,allow-oom
--[[
  Look at what is ready, most urgent and oldest first, or at what is open, without changing anything.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   ready or open                            ARGV[4]   most messages
  ARGV[5]   only this sender, or empty               ARGV[6]   only this thread, or empty
  ARGV[7]   least priority, 0 to 3                   ARGV[8]   agent: what is open is listed and counted of it alone; for ready, empty for all
  ARGV[9]   1 to get the bodies too

  Returns {"HEADS", counts, {id, record, body, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
--@include lua/upkeep.lua
if late() then return { 'LATE' } end
local which, most, sender, thread = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local leastPriority, agent, withBodies = tonumber(ARGV[7]), ARGV[8], ARGV[9] == '1'
local heads = {}
local function look(set)
  local offset, looked = 0, 0
  while #heads < most * 3 and looked < 2000 do
    local ids = redis.call('ZRANGE', set, offset, offset + 99)
    if #ids == 0 then return end
    for _, id in ipairs(ids) do
      looked = looked + 1
      local record = getRecord(id)
      if record and #heads < most * 3 and record.expires > (which == 'open' and 0 or nowMs)
        and (sender == '' or record.sender == sender) and (thread == '' or record.thread == thread)
        and record.priority >= leastPriority and (which ~= 'open' or agentOf(record.run) == agent) then
        heads[#heads + 1] = id
        heads[#heads + 1] = writeRecord(record)
        heads[#heads + 1] = withBodies and redis.call('HGET', box.messages, id) or ''
      end
    end
    offset = offset + #ids
  end
end
if which == 'open' then look(box.open)
else for priority = 3, leastPriority, -1 do look(box.ready[priority]) end end
return { 'HEADS', counts(agent), heads }
