-- The keys of one topic root, always all of them and in this order (see topicRootKeyList in keys.ts).
local root = {
  meta = KEYS[1], messages = KEYS[2], facts = KEYS[3], heads = KEYS[4], topics = KEYS[5], settings = KEYS[6],
  holds = KEYS[7], orphans = KEYS[8], subscriptions = KEYS[9], channel = KEYS[10],
}
-- Facts of a message: sequence|topic|sender|priority|bytes|thread|publishedMs|expiresMs, 0 for no expiry of its own.
local function sequenceNow() return tonumber(redis.call('HGET', root.meta, 'sequence') or '0') end
