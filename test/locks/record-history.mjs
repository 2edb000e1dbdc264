// Has every script on locks write down, in the order in which it happened, what became of each request: a history that
// the product knows nothing of. A mutant is a defect put into the scripts on purpose.
import { createHash } from "node:crypto";

const sha1 = (text) => createHash("sha1").update(text).digest("hex");

const noteFunction = `
local function note(what, request)
  local key = string.gsub(slot.meta, 'meta$', 'history')
  redis.call('RPUSH', key, table.concat({ what, whole(nowMs), whole(lockMs), request.id, request.run, request.process,
    request.mode, request.priority, whole(request.arrival), whole(request.leaseMs), request.state, whole(request.token),
    whole(request.due), whole(request.base), request.skipped and 's' or '', whole(request.restMs or limits.delayMs) }, '|') .. '\\n' .. table.concat(request.resources, '\\n'))
end
local known = {}
local waitingScore`;

const changes = (name) => [
  [
    "redis.call('HSET', slot.meta, 'time', whole(lockMs), 'clock', whole(nowMs))",
    (found) =>
      `${found}\n  local key = string.gsub(slot.meta, 'meta$', 'history')\n  redis.call('RPUSH', key, table.concat({ 'begin', whole(nowMs), whole(lockMs), '${name}' }, '|'))`,
  ],
  [
    "redis.call('ZADD', slot.processes, whole(lockMs), process)",
    (found) =>
      `${found}\nredis.call('RPUSH', (string.gsub(slot.meta, 'meta$', 'history')), table.concat({ 'beat', whole(nowMs), whole(lockMs), process }, '|'))`,
    ["acquire-lock", "beat-locks", "renew-locks"],
  ],
  [
    "local ended, left, lost = 0, 0, {}",
    (found) =>
      `${found}\nredis.call('RPUSH', (string.gsub(slot.meta, 'meta$', 'history')), table.concat({ 'over', whole(nowMs), whole(lockMs), run }, '|'))`,
    ["release-run-locks"],
  ],
  ["\nlocal known = {}\nlocal waitingScore", () => noteFunction],
  [
    "  redis.call('HSET', slot.requests, request.id, table.concat({",
    (found) => `  note('put', request)\n${found}`,
  ],
  ["  redis.call('HDEL', slot.requests, request.id)", (found) => `  note('remove', request)\n${found}`],
];

export function recordHistory(store, mutant) {
  const run = store.run.bind(store);
  const made = new Map();
  let applied = false;
  store.run = (script, keys, ...rest) => {
    const isOfLocks = keys[0]?.endsWith(":lk}:meta");
    if (
      (!isOfLocks && script.name !== mutant?.script) ||
      (/^(find-lock|list-locks|own-locks|verify-token|note-awaiting|leave-locks|take-losses)$/.test(
        script.name,
      ) &&
        script.name !== mutant?.script)
    )
      return run(script, keys, ...rest);
    let changed = made.get(script.name);
    if (!changed) {
      const alter = (source) => {
        let text = source;
        if (mutant && (mutant.script === script.name || mutant.script === "")) {
          if (!text.includes(mutant.from) && mutant.script !== "")
            throw new Error(`the mutant that ${mutant.what} no longer fits ${script.name}`);
          text = text.replace(mutant.from, () => mutant.to);
        }
        for (const [from, to, only] of isOfLocks ? changes(script.name) : []) {
          if (only && !only.includes(script.name)) continue;
          if (!text.includes(from) && !mutant)
            throw new Error(`${script.name} cannot be recorded any more: ${from}`);
          text = text.replace(from, () => to(from));
        }
        return text;
      };
      const [source, plainSource] = [alter(script.source), alter(script.plainSource)];
      changed = { name: script.name, source, plainSource, sha: sha1(source), plainSha: sha1(plainSource) };
      made.set(script.name, changed);
    }
    if (
      mutant &&
      script.source.includes(mutant.from) &&
      (mutant.script === script.name || mutant.script === "")
    )
      applied = true;
    return run(changed, keys, ...rest);
  };
  return { applied: () => applied };
}
