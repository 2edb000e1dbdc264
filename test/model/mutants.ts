import { createHash } from "node:crypto";
import type { Script, Store } from "../../src/redis/index.js";

/** One defect, put into a script on purpose. */
export interface Mutant {
  readonly script: string;
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

const of = (script: string, what: string, from: string, to: string): Mutant => ({ script, what, from, to });

/** Scripts that record a decision, and where they do. */
const audited: readonly (readonly [script: string, call: string])[] = [
  ["send-message", "audit(box.audit, row)"],
  ["put-outbox", "audit(auditRows, rows)"],
  ["read-inbox", "audit(box.audit, row)"],
  ["settle-messages", "audit(box.audit, row)"],
  ["recall-message", "audit(box.audit, row)"],
  ["manage-dead-letters", "audit(box.audit, row)"],
  ["change-blocks", "audit(auditRows, row)"],
  ["append-audit", "audit(KEYS[1], ARGV[2])"],
];

/** Defects of the kind people make: a step forgotten, two things mixed up, a limit missed by one. */
export const mutants: readonly Mutant[] = [
  of("send-message", "forgets the deadline", "if late() then return { 'LATE' } end", ""),
  of(
    "send-message",
    "forgets to compare the digest",
    "if knownDigest ~= digest then return 'CONFLICT' end",
    "",
  ),
  of(
    "send-message",
    "takes the caller's retry for our own",
    "if knownAttempt == attempt then",
    "if true then",
  ),
  of(
    "send-message",
    "takes our own retry for the caller's",
    "if knownAttempt == attempt then",
    "if false then",
  ),
  of(
    "send-message",
    "does not remember the operation",
    "rememberOperation(box.operations,",
    "local _ = (function() end)(box.operations,",
  ),
  of(
    "send-message",
    "puts every priority into one set",
    "redis.call('ZADD', box.ready[priority], whole(sequence), id)",
    "redis.call('ZADD', box.ready[1], whole(sequence), id)",
  ),
  of(
    "send-message",
    "makes the priority a part of the score",
    "redis.call('ZADD', box.ready[priority], whole(sequence), id)",
    "redis.call('ZADD', box.ready[priority], whole(sequence * -1), id)",
  ),
  of("send-message", "takes one message too many", "usedCount >= mostCount", "usedCount > mostCount"),
  of("send-message", "takes one byte too many", "usedBytes + bytes > mostBytes", "usedBytes > mostBytes"),
  of(
    "send-message",
    "lets one sender take one too many",
    "ofSender >= mostOfSender",
    "ofSender > mostOfSender",
  ),
  of("send-message", "does not count what it stores", "count(record, 1)", ""),
  of(
    "send-message",
    "lets blocked senders in",
    "if redis.call('SISMEMBER', box.blocked, sender) == 1 then return { 'BLOCKED' } end",
    "",
  ),
  of("send-message", "goes back when the clock does", "math.max(last + 1, nowUs)", "nowUs"),
  of(
    "send-message",
    "forgets when it expires",
    "redis.call('ZADD', box.all, whole(sequence), id)\nredis.call('ZADD', box.expiring, whole(record.expires), id)",
    "redis.call('ZADD', box.all, whole(sequence), id)",
  ),
  of("send-message", "wakes nobody", "redis.call('PUBLISH', box.channel, 'stored')", ""),
  of("read-inbox", "settles what must be acknowledged", "if not has(record, 'a') and", "if"),
  of(
    "read-inbox",
    "settles jobs by the next read",
    "and not has(record, 'j') and not has(record, 'c')",
    "and not has(record, 'c')",
  ),
  of(
    "read-inbox",
    "settles texts that were cut",
    "and not has(record, 'c') then toHistory",
    "then toHistory",
  ),
  of("read-inbox", "settles what another batch delivered", "and record.batch == name then act", "then act"),
  of("read-inbox", "counts a delivery that never arrived", "record.count = record.count - 1\n", ""),
  of(
    "read-inbox",
    "settles what was not seen",
    "toReady(id, record)\n    gaveBack = true",
    "toHistory(id, record, 'settled')\n    gaveBack = true",
  ),
  of("read-inbox", "does not do what time has made due", "\n  upkeep(50)", ""),
  of("read-inbox", "delivers one too many", "return #delivered < most", "return #delivered <= most"),
  of("read-inbox", "ignores the sender asked for", "and (sender == '' or record.sender == sender)\n", "\n"),
  of(
    "read-inbox",
    "ignores the thread asked for",
    "and (thread == '' or record.thread == thread)\n  end",
    "\n  end",
  ),
  of(
    "read-inbox",
    "ignores the least priority",
    "tonumber(startPriority or '3'), leastPriority, -1",
    "tonumber(startPriority or '3'), 0, -1",
  ),
  of(
    "read-inbox",
    "begins with the least urgent",
    "for priority = tonumber(startPriority or '3'), leastPriority, -1 do",
    "for priority = leastPriority, 3 do",
  ),
  of("read-inbox", "does not repeat a page", "if known then\n  for", "if false then\n  for"),
  of(
    "read-inbox",
    "leaves the message in the ready set",
    "if record.state == 'ready' then redis.call('ZREM', box.ready[record.priority], id)",
    "if record.state == 'ready' then",
  ),
  of(
    "read-inbox",
    "loses the batch",
    "redis.call('HSET', box.batches, batch, run",
    "redis.call('HGET', box.batches, batch, run",
  ),
  of(
    "read-inbox",
    "reads past what it skipped",
    "else offset = offset + 1 end",
    "else offset = offset + 2 end",
  ),
  of(
    "settle-messages",
    "lets anybody settle",
    "local elsewhere = has(record, 'j') and record.state == 'open' and record.run ~= run\n",
    "local elsewhere = false\n",
  ),
  of(
    "settle-messages",
    "settles for an agent that never had it",
    "or agentOf(record.run) ~= agentOf(run) then",
    "then",
  ),
  of(
    "settle-messages",
    "fails again at our own retry",
    "if record.batch == attempt and record.state ~= 'open' then",
    "if false then",
  ),
  of(
    "settle-messages",
    "settles the dead",
    "if not isUnsettled(record) and record.state ~= 'unconfirmed' then return 'NOT_OPEN', 0 end",
    "",
  ),
  of("settle-messages", "rejects without burying", "toDead(id, record, 'rejected')", "toReady(id, record)"),
  of(
    "settle-messages",
    "counts retries of mail as failures",
    "elseif has(record, 'j') then\n    word",
    "else\n    word",
  ),
  of(
    "settle-messages",
    "is one failure too patient",
    "record.failures >= limits.failuresMost",
    "record.failures > limits.failuresMost",
  ),
  of(
    "settle-messages",
    "forgets the delay",
    "if delayMs > 0 then toDelayed(id, record, nowMs + delayMs) return 'DELAYED' end",
    "",
  ),
  of(
    "settle-messages",
    "forgets that a settled message takes no room",
    "if isUnsettled(record) then count(record, -1) end\n  record.state, record.at = state",
    "record.state, record.at = state",
  ),
  of("settle-messages", "forgets the key", "if operation ~= '' and concerned then", "if false then"),
  of(
    "settle-messages",
    "leaves the message in the open set",
    "redis.call('ZREM', box.open, id)\n    redis.call('ZREM', box.reminders, id)",
    "redis.call('ZREM', box.reminders, id)",
  ),
  of(
    "keep-mailbox",
    "never ends a delay",
    "for _, id in ipairs(due(box.delayed, most)) do",
    "for _, id in ipairs({}) do",
  ),
  of(
    "keep-mailbox",
    "never ends a claim",
    "for _, id in ipairs(due(box.open, most)) do",
    "for _, id in ipairs({}) do",
  ),
  of(
    "keep-mailbox",
    "drops what expires instead of burying it",
    "then toDead(id, record, 'expired')",
    "then toHistory(id, record, 'settled')",
  ),
  of("keep-mailbox", "keeps history for ever", "redis.call('ZREM', box.settled, id) forget(id)", ""),
  of(
    "keep-mailbox",
    "keeps every dead letter",
    "if #trimmed == 0 and redis.call('ZCARD', box.dead) > limits.deadMost then",
    "if false then",
  ),
  of(
    "keep-mailbox",
    "takes unconfirmed mail that waits for an answer out of sight",
    "elseif has(record, 'a') then",
    "elseif false then",
  ),
  of("release-run", "gives back what others have", "if record and record.run == run then", "if record then"),
  of("release-run", "counts a good end as a failure", "and not inGoodOrder then", "then"),
  of(
    "release-run",
    "forgives a run that vanished",
    "if has(record, 'j') and not inGoodOrder then",
    "if false then",
  ),
  of(
    "release-run",
    "gives back nothing",
    "if redis.call('HEXISTS', box.runs, run) == 1 then",
    "if redis.call('HEXISTS', box.runs, run) == 2 then",
  ),
  of(
    "recall-message",
    "recalls what was delivered",
    "(record.count > 0 or not isUnsettled(record))",
    "(not isUnsettled(record))",
  ),
  of(
    "recall-message",
    "recalls for anybody",
    "if not record or record.sender ~= sender then",
    "if not record then",
  ),
  of("manage-dead-letters", "requeues without room for it", "count(record, 1)", ""),
  of(
    "manage-dead-letters",
    "keeps the failures",
    "record.failures, record.reason",
    "record.said, record.reason",
  ),
  of(
    "manage-dead-letters",
    "touches the living",
    "if record and record.state == 'dead' then",
    "if record then",
  ),
  of(
    "put-outbox",
    "does not remember the operation",
    "rememberOperation(operations,",
    "local _ = (function() end)(operations,",
  ),
  of("put-outbox", "keeps no recipients", "'left:' .. id, recipients", "'left:' .. id, ''"),
  ...(["send-message", "put-outbox"] as const).flatMap((script) => [
    of(script, "forgets the lease", "if lease and isOver(", "if false and isOver("),
    of(script, "forgets when the lease is over", "if nowMs >= lease.endsMs then return true end", ""),
    of(script, "forgets which token it saw", "if lease then noteToken(", "if false then noteToken("),
    of(script, "refuses a token it saw itself", "lease.token < (", "lease.token <= ("),
    of(script, "takes who shares for late", "lease.shared and excluding or any", "any"),
    of(script, "takes who excludes for one who shares", "lease.shared and excluding or any", "excluding"),
    of(script, "forgets who excludes", "if not lease.shared then excluding = lease.token end", ""),
    of(
      script,
      "forgets a higher token for a lower",
      "whole(math.max(any, lease.token))",
      "whole(lease.token)",
    ),
  ]),
  of(
    "advance-outbox",
    "never strikes an entry off",
    "redis.call('HDEL', outbox, 'entry:' .. id, 'left:' .. id)",
    "",
  ),
  of("note-send", "counts our own retry as a send", "if counted[3] ~= attempt then", "if true then"),
  of("join-conversation", "lets one message too many in", "messages >= most", "messages > most"),
  of("join-conversation", "counts a message at each try", "if not known and messages", "if messages"),
  ...audited.flatMap(([script, call]) => [
    of(script, "records no row", call, ""),
    of(script, "records its row twice", call, `${call}\n${call}`),
  ]),
  of(
    "send-message",
    "records before it looks whether it was done",
    "local known, answer = recallOperation(box.operations, box.operationExpiry, operation, digest, attempt)",
    "audit(box.audit, row)\nlocal known, answer = recallOperation(box.operations, box.operationExpiry, operation, digest, attempt)",
  ),
  of("settle-messages", "records once for each id", "\n  row = ''\n", "\n"),
  of("send-message", "numbers rows by a clock that goes back", "math.max(number + 1, nowUs)", "nowUs"),
];

/** The store as it would be with this defect, and without, for `undefined`. */
export function infect(store: Store, mutant: Mutant | undefined): { readonly applied: () => boolean } {
  let applied = false;
  const run = store.run.bind(store);
  const sick = new Map<string, Script>();
  store.run = (script, ...rest) => {
    if (script.name !== mutant?.script) return run(script, ...rest);
    let changed = sick.get(script.name);
    if (!changed) {
      if (!script.source.includes(mutant.from))
        throw new Error(`the mutant that ${mutant.what} no longer fits ${script.name}`);
      const source = script.source.replace(mutant.from, () => mutant.to);
      const plainSource = script.plainSource.replace(mutant.from, () => mutant.to);
      changed = { name: script.name, source, plainSource, sha: sha1(source), plainSha: sha1(plainSource) };
      sick.set(script.name, changed);
    }
    applied = true;
    return run(changed, ...rest);
  };
  return { applied: () => applied };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
