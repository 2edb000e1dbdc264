-- An entry: where one key stands. Written as words separated by "|"; its value is apart and opaque.
-- version, state (live, deleted, expired), at: written ms, expires: ms or 0, agent and verified: who wrote it,
-- bytes: of its value, cost: what it takes of the room with its history, forgotten: earlier versions no longer kept
local fields = { 'version', 'state', 'at', 'expires', 'agent', 'verified', 'bytes', 'cost', 'forgotten' }
local numeric = { at = true, expires = true, bytes = true, cost = true, forgotten = true }
local function readEntry(text)
  local entry, n = {}, 0
  for word in string.gmatch(text .. '|', '([^|]*)|') do
    n = n + 1
    if fields[n] then entry[fields[n]] = numeric[fields[n]] and tonumber(word) or word end
  end
  return entry
end
local function writeEntry(entry)
  local words = {}
  for n, name in ipairs(fields) do words[n] = numeric[name] and whole(entry[name]) or entry[name] end
  return table.concat(words, '|')
end
local function getEntry(key)
  local text = redis.call('HGET', group.entries, key)
  if text then return readEntry(text), text end
end
local function hasExpired(entry) return entry.state == 'live' and entry.expires > 0 and entry.expires <= nowMs end
local function isLive(entry) return entry ~= nil and entry.state == 'live' and not hasExpired(entry) end
