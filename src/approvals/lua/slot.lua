-- The keys of the approvals of a namespace, always all of them and in this order (see approvalKeyList in keys.ts).
local slot = {
  requests = KEYS[1], questions = KEYS[2], votes = KEYS[3], pending = KEYS[4], due = KEYS[5], all = KEYS[6],
  standing = KEYS[7], notices = KEYS[8], links = KEYS[9], linkExpiry = KEYS[10], operations = KEYS[11],
  operationExpiry = KEYS[12], audit = KEYS[13], channel = KEYS[14],
}
