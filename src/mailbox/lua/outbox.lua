-- Strikes recipients, separated by commas, off an outbox entry, and drops the entry when none is left. Answers those left.
local function strike(outbox, id, recipients)
  local gone = {}
  for name in string.gmatch(recipients, '[^,]+') do gone[name] = true end
  local left = {}
  for name in string.gmatch(redis.call('HGET', outbox, 'left:' .. id) or '', '[^,]+') do
    if not gone[name] then left[#left + 1] = name end
  end
  if #left == 0 then redis.call('HDEL', outbox, 'entry:' .. id, 'left:' .. id)
  else redis.call('HSET', outbox, 'left:' .. id, table.concat(left, ',')) end
  return left
end
