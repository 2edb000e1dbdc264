#!lua flags=allow-oom
--[[
  Look at a request, as time has left it.

  KEYS      the approvals of a namespace, see lua/slot.lua
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   limits, see lua/request.lua
  ARGV[3]   id

  Returns {"REQUEST", request, question, votes, question as it was approved or empty,
          {who voted for other arguments, question with those, …}} · {"UNKNOWN"} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/slot.lua
--@include lua/request.lua
if late() then return { 'LATE' } end
local id = ARGV[3]
local request = getRequest(id)
if not request then return { 'UNKNOWN' } end
local votes, edits = redis.call('HGET', slot.votes, id) or '', {}
for line in string.gmatch(votes, '[^\n]+') do
  local who, what = string.match(line, '^([^|]*)|([^|]*)|')
  local edit = what == 'edit' and redis.call('HGET', slot.questions, id .. ':edit:' .. who)
  if edit then
    edits[#edits + 1] = who
    edits[#edits + 1] = edit
  end
end
return {
  'REQUEST', writeRequest(request), redis.call('HGET', slot.questions, id) or '', votes,
  redis.call('HGET', slot.questions, id .. ':edited') or '', edits,
}
