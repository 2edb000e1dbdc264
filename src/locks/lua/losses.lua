-- What runs of an agent lost when they ended otherwise than by their client, until a run of it was told: who took it to tell
-- of it, or empty; how many more there were; then a line each, "what|id" and its resources behind tabs.
local lossesKeptMs, lossesMost = 86400000, 20
local function readLosses(key)
  local takenBy, more, lines = string.match(redis.call('GET', key) or '', '^([^\n]*)\n(%d+)\n(.*)$')
  return takenBy, tonumber(more or '0'), lines or ''
end
local function putLosses(key, takenBy, more, lines, keptMs)
  redis.call('SET', key, takenBy .. '\n' .. whole(more) .. '\n' .. lines, 'PX', whole(keptMs))
end
local function noteLosses(key, requests)
  local takenBy, more, text = readLosses(key)
  -- What was taken has been told.
  if takenBy and takenBy ~= '' then more, text = 0, '' end
  local lines, isNoted = {}, {}
  for line in string.gmatch(text, '[^\n]+') do
    lines[#lines + 1] = line
    isNoted[string.match(line, '^%a+|([^\t]+)')] = true
  end
  for _, request in ipairs(requests) do
    if #lines >= lossesMost then more = more + (isNoted[request.id] and 0 or 1)
    -- Who ends a run again, since the answer was lost, may bring what the run should have told again.
    elseif not isNoted[request.id] then
      local what = request.state == 'held' and 'held' or 'waiting'
      lines[#lines + 1] = what .. '|' .. request.id .. '\t' .. table.concat(request.resources, '\t')
    end
  end
  putLosses(key, '', more, table.concat(lines, '\n'), lossesKeptMs)
end
