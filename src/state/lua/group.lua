-- The keys of one group of shared state, always all of them and in this order (see stateGroupKeyList in keys.ts).
local group = {
  meta = KEYS[1], entries = KEYS[2], values = KEYS[3], order = KEYS[4], expiring = KEYS[5], gone = KEYS[6],
  history = KEYS[7], past = KEYS[8], tokens = KEYS[9], fences = KEYS[10], operations = KEYS[11],
  operationExpiry = KEYS[12], channel = KEYS[13], audit = KEYS[14],
}
