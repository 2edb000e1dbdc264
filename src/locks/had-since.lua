#!lua flags=no-writes
--[[
  Tell of some resources which of them an agent lost and another one was granted since.

  KEYS      the locks of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/slot.lua
  ARGV[3]   agent                                    ARGV[4…]  resources

  Returns {"LOOKED", {when it was lost, ms, or empty, who was granted it since, when, ms, …}} with three words for each resource · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include lua/slot.lua
--@include ../redis/lua/overlap.lua
--@include lua/request.lua
--@include lua/queue.lua
if late() then return { 'LATE' } end
-- Of what an agent lost of a resource and another one was granted since: when it lost it, who that is, and when it got it.
local function hadSince(agent, resource)
  local anchor, kind = anchorOf(resource)
  local losses, others, takenAgain = {}, {}, 0
  for _, text in ipairs(redis.call('HMGET', slot.since, unpack(fieldsAround(anchor, kind)))) do
    for line in string.gmatch(text or '', '[^\n]+') do
      local what, who, mode, token, ms, its = string.match(line, '^(%a)|([^|]*)|(%a)|(%d+)|(%d+)\t(.*)$')
      local one = { agent = who, mode = mode, token = tonumber(token), at = ms }
      if tonumber(ms) >= nowMs - sinceKeptMs and overlaps(its, resource) then
        if what == 'g' and who ~= agent then others[#others + 1] = one
        elseif what == 'l' and who == agent then losses[#losses + 1] = one
        elseif what == 'g' and covers(its, resource) then takenAgain = math.max(takenAgain, one.token) end
      end
    end
  end
  local newest, lost
  for _, loss in ipairs(losses) do
    for _, other in ipairs(others) do
      local isSince = other.token > loss.token and loss.token >= takenAgain and other.token > takenAgain
      if isSince and not (loss.mode == 's' and other.mode == 's') and (not newest or other.token > newest.token) then
        newest, lost = other, loss
      end
    end
  end
  if newest then return lost.at, newest.agent, newest.at end
  return '', '', ''
end
local words = {}
for n = 4, #ARGV do
  for _, word in ipairs({ hadSince(ARGV[3], ARGV[n]) }) do words[#words + 1] = word end
end
return { 'LOOKED', words }
