-- A topic record: when created and last used (ms), bytes kept, messages ever published, the sequence up to which its
-- history was trimmed, and 1 when somebody created it on purpose. Written as numbers separated by "|".
local function getTopic(topic)
  local text = redis.call('HGET', root.topics, topic)
  if not text then return nil end
  local created, last, bytes, published, trimmedTo, explicit =
    string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  return {
    created = tonumber(created), last = tonumber(last), bytes = tonumber(bytes), published = tonumber(published),
    trimmedTo = tonumber(trimmedTo), explicit = tonumber(explicit),
  }
end
local function putTopic(topic, record)
  redis.call('HSET', root.topics, topic, table.concat({
    whole(record.created), whole(record.last), whole(record.bytes), whole(record.published),
    whole(record.trimmedTo), whole(record.explicit),
  }, '|'))
end
local function parentOf(topic) return string.match(topic, '^(.*)%.[^.]*$') end
-- The topic, and with it its parents, exist from now on.
local function openTopic(topic)
  local record = getTopic(topic)
  local at = topic
  while at and redis.call('HEXISTS', root.topics, at) == 0 do
    putTopic(at, { created = nowMs, last = nowMs, bytes = 0, published = 0, trimmedTo = 0, explicit = 0 })
    redis.call('ZADD', root.heads, 0, at)
    redis.call('HINCRBY', root.meta, 'version', 1)
    at = parentOf(at)
  end
  return record or getTopic(topic)
end
-- What was set for the topic, or else for the nearest of its parents.
local function setting(topic, name)
  local at = topic
  while at do
    local value = redis.call('HGET', root.settings, at .. '|' .. name)
    if value then return value end
    at = parentOf(at)
  end
end
local function allows(list, agent)
  if not list or list == '*' then return true end
  return string.find(',' .. list .. ',', ',' .. agent .. ',', 1, true) ~= nil
end
