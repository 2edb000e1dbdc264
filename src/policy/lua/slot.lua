-- The keys of the policy of a namespace, always all of them and in this order (see policyKeyList in keys.ts).
local slot = {
  rules = KEYS[1], counts = KEYS[2], windows = KEYS[3], reservations = KEYS[4], held = KEYS[5], figures = KEYS[6],
  decisions = KEYS[7], reads = KEYS[8], readAt = KEYS[9], operations = KEYS[10], operationExpiry = KEYS[11],
  audit = KEYS[12], channel = KEYS[13],
}
