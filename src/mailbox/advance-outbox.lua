#!lua flags=allow-oom
--[[
  Strike recipients that were reached off an outbox entry, and drop the entry when none is left.

  KEYS[1]   operations (hash)                        KEYS[2]   outbox (hash)
  KEYS[3]   audit rows (list)
  ARGV[1]   not after, ms of the store's clock       ARGV[2]   field: a message id, or notice:id:time
  ARGV[3]   recipients reached, separated by commas; of a notice its text, as it was told
  ARGV[4]   operation whose answer is completed, or empty
  ARGV[5]   its answer                               ARGV[6]   audit rows, one a line, or empty

  Returns {"LEFT", recipients, fields in the outbox} · {"LATE"}
]]
--@include ../redis/lua/clock.lua
--@include ../redis/lua/audit.lua
--@include lua/outbox.lua
if late() then return { 'LATE' } end
local operations, outbox, auditRows = KEYS[1], KEYS[2], KEYS[3]
local id, reached, operation, answer, rows = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
audit(auditRows, rows)
if operation ~= '' then
  local known = redis.call('HGET', operations, operation)
  local head, first = string.match(known or '', '^([^|]*|[^|]*|)([^|]*)')
  -- After a recall the same may have been sent anew by the same operation.
  if head and first == string.match(answer, '^[^|]*') then redis.call('HSET', operations, operation, head .. answer) end
end
if string.sub(id, 1, 7) == 'notice:' then
  -- What came in its place meanwhile has still to be told.
  if redis.call('HGET', outbox, id) == reached then redis.call('HDEL', outbox, id) end
  return { 'LEFT', '', whole(redis.call('HLEN', outbox)) }
end
local left = strike(outbox, id, reached)
return { 'LEFT', table.concat(left, ','), whole(redis.call('HLEN', outbox)) }
