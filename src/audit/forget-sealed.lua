#!lua flags=allow-oom
--[[
  Take out of a slot what was sealed, a bounded part at each call. The last number stays, without its row.

  KEYS[1]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   number of the last row that was sealed

  Returns {"FORGOTTEN", how many} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
if late() then return { 'LATE' } end
local rows, upTo = KEYS[1], tonumber(ARGV[2])
local gone, last = 0, 0
for _, entry in ipairs(redis.call('LRANGE', rows, 0, 999)) do
  local number = auditNumber(entry)
  if number > upTo then break end
  gone, last = gone + 1, number
end
if gone == 0 then return { 'FORGOTTEN', '0' } end
if gone == redis.call('LLEN', rows) then
  redis.call('LTRIM', rows, -1, -1)
  redis.call('LSET', rows, 0, whole(last) .. '|')
else
  redis.call('LTRIM', rows, gone, -1)
end
return { 'FORGOTTEN', whole(gone) }
