#!lua flags=
--[[
  List the versions of the rules that are kept, the newest first.

  KEYS      the policy of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   most versions kept
  ARGV[3]   audit row

  Returns {"VERSIONS", {version, at ms, who put it there and why, bytes, …}} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
if late() then return { 'LATE' } end
local mostKept, row = tonumber(ARGV[2]), ARGV[3]
audit(slot.audit, row)
local current = tonumber(redis.call('HGET', slot.rules, 'current') or '0')
local versions = {}
for version = current, math.max(current - mostKept + 1, 1), -1 do
  local about = redis.call('HGET', slot.rules, 'about:' .. whole(version))
  if about then
    local at, who = string.match(about, '^(%d+)|(.*)$')
    local bytes = redis.call('HSTRLEN', slot.rules, 'text:' .. whole(version))
    versions[#versions + 1] = whole(version)
    versions[#versions + 1] = at
    versions[#versions + 1] = who
    versions[#versions + 1] = whole(bytes)
  end
end
return { 'VERSIONS', versions }
