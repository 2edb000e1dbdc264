#!lua flags=allow-oom
--[[
  Settle what an agent's earlier pages delivered, and show where it stands in one root and which topics have news.

  KEYS      a topic root, see lua/root.lua; then
  KEYS[11]  deliveries of the agent (hash)           KEYS[12]  open of the agent (hash)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   agent
  ARGV[3]   batches that were seen, with commas      ARGV[4]   batches that were not seen
  ARGV[5]   what was open for longer is settled, ms  ARGV[6]   heads only above this sequence, or empty for the floor
  ARGV[7]   most heads                               ARGV[8]   1 when no access list binds the agent

  Returns {"STANDS", revision, sequence, {deliveries}, {id, open record, facts, …}, {topic, last sequence, 1 if its access list lets the agent read, …},
           where to go on among the heads, or empty, now ms} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/root.lua
--@include lua/topic.lua
local agentDeliveries, agentOpen = KEYS[11], KEYS[12]
--@include lua/open.lua
if late() then return { 'LATE' } end
local agent, seen, unseen, after, most, unbound = ARGV[2], ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1'

expireOpen(tonumber(ARGV[5]))
local function named(list)
  local names = {}
  for name in string.gmatch(list, '[^,]+') do names[name] = true end
  return names
end
if seen ~= '' or unseen ~= '' then
  local done, again = named(seen), named(unseen)
  local all, gaveBack = redis.call('HGETALL', agentOpen), false
  for n = 1, #all, 2 do
    local record = readOpen(all[n + 1])
    if record.state == 'open' and done[record.batch] and record.cut ~= '1' then
      closeOpen(all[n])
      changed()
    elseif record.state == 'open' and again[record.batch] then
      record.count = whole(tonumber(record.count) - 1)
      giveBack(all[n], record, 0)
      changed()
      gaveBack = true
    end
  end
  if gaveBack then redis.call('PUBLISH', root.channel, '@' .. agent) end
end

local limited = not unbound and redis.call('HLEN', root.settings) > 0
local function readable(topic) return not limited or allows(setting(topic, 'readers'), agent) end
local deliveries = redis.call('HGETALL', agentDeliveries)
local floor
for n = 1, #deliveries, 2 do
  if string.sub(deliveries[n], 1, 2) == 's:' then
    local from = string.match(deliveries[n + 1], '^live|[^|]*|([^|]*)|')
    if from and (not floor or tonumber(from) < floor) then floor = tonumber(from) end
  end
end
local heads, where = {}, ''
if floor and most > 0 then
  local from = after ~= '' and after or whole(math.max(floor, 0))
  local found = redis.call('ZRANGEBYSCORE', root.heads, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  for n = 1, #found, 2 do
    heads[#heads + 1] = found[n]
    heads[#heads + 1] = whole(tonumber(found[n + 1]))
    heads[#heads + 1] = readable(found[n]) and '1' or '0'
  end
  if #found == most * 2 then where = whole(tonumber(found[#found])) end
end
local open = {}
local all = redis.call('HGETALL', agentOpen)
for n = 1, #all, 2 do
  local record = readOpen(all[n + 1])
  if record.state == 'open' or readable(record.topic) then
    open[#open + 1] = all[n]
    open[#open + 1] = all[n + 1]
    open[#open + 1] = redis.call('HGET', root.facts, all[n]) or ''
  end
end
return {
  'STANDS', redis.call('HGET', agentDeliveries, 'revision') or '0', whole(sequenceNow()), deliveries, open, heads, where,
  whole(nowMs),
}
