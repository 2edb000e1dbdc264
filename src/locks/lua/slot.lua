-- The locks of a namespace, always all keys in this order (see lockKeyList in keys.ts), their limits, and lock time.
local slot = {
  meta = KEYS[1], requests = KEYS[2], index = KEYS[3], anchors = KEYS[4], due = KEYS[5], runs = KEYS[6],
  processes = KEYS[7], offers = KEYS[8], operations = KEYS[9], operationExpiry = KEYS[10], awaiting = KEYS[11],
  forced = KEYS[12], notices = KEYS[13], audit = KEYS[14], channel = KEYS[15], changes = KEYS[16],
  untold = KEYS[17], absent = KEYS[18], since = KEYS[19],
}
-- ARGV[2]: the limits every operation on locks keeps, as words separated by commas.
local limits = {}
do
  local names = { 'stepMs', 'jumpMs', 'aliveMs', 'offerMs', 'deadOfferMs', 'ageingMs', 'delayMs', 'waitersMost', 'requestsMost', 'runMost' }
  local at = 0
  for word in string.gmatch(ARGV[2], '[^,]+') do at = at + 1 limits[names[at]] = tonumber(word) end
end
-- Lock time moves with the store's clock, never back. Whoever is there beats more often than a step lasts: so a longer gap
-- after a beat is a clock that jumped, or the sleep of everybody, and counts as little. Where nobody was there before it, it
-- is the time in which nobody was there, and counts whole.
local lockMs, lastToken, lastArrival, isCut = 0, 0, 0, false
-- What earlier scripts left to later ones, see queue.lua: what is not handed on yet, and the last token from before the first
-- grant since some of what is over could not be ended; and whether this one leaves some.
local unhanded, tokenBefore, isBehind = { gone = '', unseen = '' }, nil, false
-- Until when of lock time a loss is remembered, see noteSince.
local lostUntil = 0
local function isSomebodyThere(timeMs)
  local latest = redis.call('ZREVRANGE', slot.processes, 0, 0, 'WITHSCORES')
  return latest[2] and tonumber(latest[2]) >= timeMs - limits.aliveMs
end
local function readTime()
  local last = redis.call('HMGET', slot.meta, 'time', 'clock', 'token', 'arrival', 'gone', 'unseen', 'before', 'lostUntil')
  unhanded, tokenBefore = { gone = last[5] or '', unseen = last[6] or '' }, tonumber(last[7] or '')
  lastToken, lastArrival = tonumber(last[3] or '0'), tonumber(last[4] or '0')
  lostUntil = tonumber(last[8] or '0')
  local step = nowMs - tonumber(last[2] or '0')
  isCut = step > limits.stepMs and last[1] and isSomebodyThere(tonumber(last[1]))
  if step < 0 then step = 0 elseif isCut then step = limits.jumpMs end
  lockMs = last[1] and tonumber(last[1]) + step or nowMs
end
local function moveTime()
  readTime()
  redis.call('HSET', slot.meta, 'time', whole(lockMs), 'clock', whole(nowMs))
end
-- An instant of lock time as the store's clock will show it.
local function asClock(instantMs) return whole(nowMs + instantMs - lockMs) end
-- How long until then, which stays true where the clock of the store is set afterwards.
local function asLeft(instantMs) return whole(instantMs - lockMs) end
-- Tokens only grow, also when the clock is set back or a tail of the log was lost; they are never lock time.
local function nextToken()
  lastToken = math.max(lastToken + 1, nowUs)
  redis.call('HSET', slot.meta, 'token', whole(lastToken))
  return lastToken
end
-- When a request came, in microseconds of lock time; no two have the same.
local function nextArrival()
  lastArrival = math.max(lastArrival + 1, lockMs * 1000)
  redis.call('HSET', slot.meta, 'arrival', whole(lastArrival))
  return lastArrival
end
