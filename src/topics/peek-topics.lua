#!lua flags=no-writes,allow-oom
--[[
  Look at what some topics hold above a position, without changing anything.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  taken of the agent (sorted set)          KEYS[12…] index and trims of each topic (sorted sets)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   most messages of each topic
  ARGV[3…]  for each topic: its name, the position, above which sequence to list, oldest or newest first, since when
            trimmed messages count as missed (a sequence), ranges in which they count, as from:to,from:to

  Returns {"HELD", {topic, messages above the position, of these taken, trimmed up to, missed, {id, facts, 1 if taken, …}},
           …} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
if late() then return { 'LATE' } end
local taken, most = KEYS[11], tonumber(ARGV[2])
-- How many of a topic's trimmed messages lie in the ranges and were trimmed after `since`; both grow together.
local function missedOf(trims, since, ranges)
  local count = redis.call('ZCARD', trims)
  local low, high = 0, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', trims, middle, middle)[1]
    if tonumber(string.match(member, ':(.*)$')) > since then high = middle else low = middle + 1 end
  end
  local missed = 0
  for from, to in string.gmatch(ranges, '([^:,]+):([^:,]+)') do
    local before = math.max(redis.call('ZCOUNT', trims, '-inf', from), low)
    local upTo = to == '+inf' and count or redis.call('ZCOUNT', trims, '-inf', to)
    missed = missed + math.max(0, upTo - before)
  end
  return missed
end
local answer = { 'HELD' }
local key = 12
for n = 3, #ARGV, 6 do
  local topic, position, above, order, since, ranges = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], ARGV[n + 4], ARGV[n + 5]
  local index, trims = KEYS[key], KEYS[key + 1]
  key = key + 2
  local record = getTopic(topic)
  local trimmedTo = record and record.trimmedTo or 0
  local missed = 0
  if trimmedTo > tonumber(position) then missed = missedOf(trims, tonumber(since), ranges) end
  local ownTaken = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', taken, '(' .. position, '+inf', 'LIMIT', 0, 1000)) do
    if string.sub(member, 1, #topic + 1) == topic .. '|' then
      local score = tonumber(redis.call('ZSCORE', taken, member))
      if score <= trimmedTo then missed = missed - 1 else ownTaken = ownTaken + 1 end
    end
  end
  local ids
  if order == 'newest' then ids = redis.call('ZREVRANGEBYSCORE', index, '+inf', '(' .. above, 'LIMIT', 0, most)
  else ids = redis.call('ZRANGEBYSCORE', index, '(' .. above, '+inf', 'LIMIT', 0, most) end
  local list = {}
  for _, id in ipairs(ids) do
    list[#list + 1] = id
    list[#list + 1] = redis.call('HGET', root.facts, id) or ''
    list[#list + 1] = redis.call('ZSCORE', taken, topic .. '|' .. id) and '1' or '0'
  end
  answer[#answer + 1] = {
    topic, whole(redis.call('ZCOUNT', index, '(' .. position, '+inf')), whole(ownTaken), whole(trimmedTo),
    whole(math.max(0, missed)), list,
  }
end
return answer
