-- The store's clock, and the deadline after which a call must no longer take effect.
local clock = redis.call('TIME')
local nowUs = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local nowMs = math.floor(nowUs / 1000)
local function whole(number) return string.format('%.0f', number) end
local function late() local limit = tonumber(ARGV[1]) return limit > 0 and nowMs > limit end
-- Whether this is our own repetition of a call that may have been executed already (see Store.run).
local function again() return tonumber(ARGV[1]) % 1 > 0 end
-- A sequence that only grows, also when the clock is set back or a tail of the log was lost.
local function nextSequence(metaKey)
  local last = tonumber(redis.call('HGET', metaKey, 'sequence') or '0')
  local sequence = math.max(last + 1, nowUs)
  redis.call('HSET', metaKey, 'sequence', whole(sequence))
  return sequence
end
