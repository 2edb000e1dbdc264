-- A delivery of this agent that is not settled: state|run|batch|count|dueMs|sinceMs|sequence|topic|cut.
-- state: open at a run (until dueMs where that is not 0), or back (given back, deliverable from dueMs on).
local names = { 'state', 'run', 'batch', 'count', 'due', 'since', 'sequence', 'topic', 'cut' }
local function readOpen(text)
  local record, n = {}, 0
  for word in string.gmatch(text .. '|', '([^|]*)|') do
    n = n + 1
    if names[n] then record[names[n]] = word end
  end
  return record
end
local function putOpen(id, record)
  local words = {}
  for n, name in ipairs(names) do words[n] = record[name] end
  redis.call('HSET', agentOpen, id, table.concat(words, '|'))
end
local function changed() redis.call('HINCRBY', agentDeliveries, 'revision', 1) end
-- Nobody needs the body any more when it left the history and was open here last.
local function closeOpen(id)
  redis.call('HDEL', agentOpen, id)
  if redis.call('HINCRBY', root.holds, id, -1) > 0 then return end
  redis.call('HDEL', root.holds, id)
  if redis.call('SREM', root.orphans, id) == 1 then
    redis.call('HDEL', root.messages, id)
    redis.call('HDEL', root.facts, id)
  end
end
local function giveBack(id, record, dueMs)
  record.state, record.run, record.batch, record.due = 'back', '', '', whole(dueMs)
  putOpen(id, record)
end
-- What nobody confirmed for longer than `ms` counts as settled; what was given without a session comes again before.
local function expireOpen(ms)
  local all = redis.call('HGETALL', agentOpen)
  for n = 1, #all, 2 do
    local record = readOpen(all[n + 1])
    if record.state == 'open' and tonumber(record.due) > 0 and tonumber(record.due) <= nowMs then
      giveBack(all[n], record, 0)
      changed()
    elseif record.state == 'open' and tonumber(record.since) <= nowMs - ms then
      closeOpen(all[n])
      changed()
    end
  end
end
