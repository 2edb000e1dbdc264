-- Answers by operation: the same operation again gets its first answer, for as long as it is remembered.
-- A remembered operation is "digest|attempt|answer"; the attempt tells our own retry from the caller's.
local function forgetOldOperations(operationsKey, expiryKey)
  local old = redis.call('ZRANGEBYSCORE', expiryKey, '-inf', whole(nowMs), 'LIMIT', 0, 20)
  for _, operation in ipairs(old) do
    redis.call('HDEL', operationsKey, operation)
    redis.call('ZREM', expiryKey, operation)
  end
end
local function recallOperation(operationsKey, expiryKey, operation, digest, attempt)
  local known = redis.call('HGET', operationsKey, operation)
  if not known then return nil end
  local expires = redis.call('ZSCORE', expiryKey, operation)
  if expires and tonumber(expires) <= nowMs then return nil end
  local knownDigest, knownAttempt, answer = string.match(known, '^([^|]*)|([^|]*)|(.*)$')
  if knownDigest ~= digest then return 'CONFLICT' end
  if knownAttempt == attempt then return 'SAME', answer end
  return 'REPLAYED', answer
end
local function rememberOperation(operationsKey, expiryKey, operation, digest, attempt, answer, keepMs)
  redis.call('HSET', operationsKey, operation, digest .. '|' .. attempt .. '|' .. answer)
  redis.call('ZADD', expiryKey, whole(nowMs + keepMs), operation)
end
