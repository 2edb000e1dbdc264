-- The keys of one mailbox, always all of them and in this order (see mailboxKeyList in keys.ts).
local box = {
  meta = KEYS[1], messages = KEYS[2], deliveries = KEYS[3],
  ready = { [0] = KEYS[4], [1] = KEYS[5], [2] = KEYS[6], [3] = KEYS[7] },
  open = KEYS[8], delayed = KEYS[9], expiring = KEYS[10], settled = KEYS[11], all = KEYS[12], dead = KEYS[13],
  operations = KEYS[14], operationExpiry = KEYS[15], senders = KEYS[16], batches = KEYS[17],
  outbox = KEYS[18], runs = KEYS[19], reminders = KEYS[20], blocked = KEYS[21], channel = KEYS[22],
  audit = KEYS[23],
}
-- ARGV[2]: the limits every operation on a mailbox keeps, as words separated by commas.
local limits = {}
do
  local names = { 'historyMs', 'deadMs', 'deadMost', 'failuresMost', 'unconfirmedMs' }
  local at = 0
  for word in string.gmatch(ARGV[2], '[^,]+') do at = at + 1 limits[names[at]] = tonumber(word) end
end
