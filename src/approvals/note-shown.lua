#!lua flags=
--[[
  Note how far a long request was shown to somebody who may decide it, who has to read on from where they were.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id                                       ARGV[4]   who
  ARGV[5]   from which character                     ARGV[6]   to which

  Returns {"SHOWN", up to which character they have seen it from its beginning} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id, who, from, to = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
if not getRequest(id) then return { 'UNKNOWN' } end
local seen, others = 0, {}
for name, far in string.gmatch(redis.call('HGET', slot.notices, '%' .. id) or '', '([^,:]+):(%d+)') do
  if name == who then seen = tonumber(far) else others[#others + 1] = name .. ':' .. far end
end
if from <= seen and to > seen then
  seen = to
  others[#others + 1] = who .. ':' .. whole(seen)
  redis.call('HSET', slot.notices, '%' .. id, table.concat(others, ','))
end
return { 'SHOWN', whole(seen) }
