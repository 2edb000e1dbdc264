#!lua flags=no-writes,allow-oom
--[[
  Look at what is ready, most urgent and oldest first, or at what is open, oldest first, without changing anything.

  KEYS      a mailbox, see lua/mailbox.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/mailbox.lua
  ARGV[3]   ready or open                            ARGV[4]   most messages
  ARGV[5]   only this sender, or empty               ARGV[6]   only this thread, or empty
  ARGV[7]   least priority, 0 to 3                   ARGV[8]   agent: what is open is listed and counted of it alone; for ready, empty for all
  ARGV[9]   1 to get the bodies too
  ARGV[10]  of what is open only what is behind this sequence, or empty
  ARGV[11]  and of that sequence only what is behind this id

  Returns {"HEADS", counts, {id, record, body, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/mailbox.lua
--@include lua/delivery.lua
--@include lua/upkeep.lua
if late() then return { 'LATE' } end
local which, most, sender, thread = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local leastPriority, agent, withBodies = tonumber(ARGV[7]), ARGV[8], ARGV[9] == '1'
local fromSequence, fromId = tonumber(ARGV[10]) or -1, ARGV[11]
local heads = {}
local function append(id, record)
  heads[#heads + 1] = id
  heads[#heads + 1] = writeRecord(record)
  heads[#heads + 1] = withBodies and redis.call('HGET', box.messages, id) or ''
end
local function isMeant(record)
  return (sender == '' or record.sender == sender) and (thread == '' or record.thread == thread)
    and record.priority >= leastPriority
end
-- The set is in the order of deadlines, which calls of the reader prolong: what is behind a place is found by sequence.
local function lookAtOpen()
  local found = {}
  for offset = 0, 9900, 100 do
    local ids = redis.call('ZRANGE', box.open, offset, offset + 99)
    if #ids == 0 then break end
    for _, id in ipairs(ids) do
      local record = getRecord(id)
      if record and agentOf(record.run) == agent and isMeant(record) then
        local behind = record.sequence > fromSequence or (record.sequence == fromSequence and id > fromId)
        if behind then found[#found + 1] = { id = id, record = record } end
      end
    end
  end
  table.sort(found, function(one, other)
    if one.record.sequence ~= other.record.sequence then return one.record.sequence < other.record.sequence end
    return one.id < other.id
  end)
  for n = 1, math.min(#found, most) do append(found[n].id, found[n].record) end
end
local function look(set)
  local offset, looked = 0, 0
  while #heads < most * 3 and looked < 2000 do
    local ids = redis.call('ZRANGE', set, offset, offset + 99)
    if #ids == 0 then return end
    for _, id in ipairs(ids) do
      looked = looked + 1
      local record = getRecord(id)
      if record and #heads < most * 3 and record.expires > nowMs and isMeant(record) then append(id, record) end
    end
    offset = offset + #ids
  end
end
if which == 'open' then
  if most > 0 then lookAtOpen() end
else for priority = 3, leastPriority, -1 do look(box.ready[priority]) end end
return { 'HEADS', counts(agent), heads }
