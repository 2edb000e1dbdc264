import type { Redis } from "ioredis";
import { covers, overlaps, type Resource } from "../../src/addresses/index.js";
import { comesBefore, type LockLimits } from "../../src/locks/index.js";

/** What a script noted: that it began, what became of a request, that a process beat, that a run was over. */
export interface Entry {
  readonly what: "begin" | "put" | "remove" | "beat" | "over";
  readonly nowMs: number;
  readonly lockMs: number;
  readonly script: string;
  /** The process that beat, or the run that is over. */
  readonly who?: string;
  readonly request?: Recorded;
}

export interface Recorded {
  readonly id: string;
  readonly run: string;
  readonly process: string;
  readonly mode: string;
  readonly priority: number;
  readonly arrival: number;
  readonly leaseMs: number;
  readonly state: string;
  readonly token: number;
  readonly due: number;
  readonly base: number;
  readonly skipped: boolean;
  /** How long its resources rest when its lease runs out, ms. */
  readonly restMs: number;
  readonly resources: readonly Resource[];
  /** The resources in one text, and the arrival in ms: every script asks for both of every request. */
  readonly asked: string;
  readonly arrivedAt: number;
}

/** What the scripts wrote down of themselves, oldest first. */
export async function readHistory(redis: Redis, namespace: string): Promise<readonly Entry[]> {
  const key = `{${namespace}:lk}:history`;
  const entries: Entry[] = [];
  for (let from = 0; ; from += 10_000) {
    const lines = await redis.lrange(key, from, from + 9_999);
    let script = entries.at(-1)?.script ?? "";
    for (const line of lines) {
      const [head, ...resources] = line.split("\n");
      const words = head!.split("|");
      const [what, nowMs, lockMs] = [words[0] as Entry["what"], Number(words[1]), Number(words[2])];
      if (what === "begin") script = words[3]!;
      entries.push({
        ...{ what, nowMs, lockMs, script },
        ...(what === "put" || what === "remove"
          ? { request: recorded(words, resources) }
          : { who: words[3]! }),
      });
    }
    if (lines.length < 10_000) return entries;
  }
}

function recorded(words: readonly string[], resources: readonly string[]): Recorded {
  const [, , , id, run, process, mode, priority, arrival, leaseMs, state, token, due, base, flags, rest] =
    words;
  return {
    ...{ id: id!, run: run!, process: process!, mode: mode!, state: state!, skipped: flags === "s" },
    ...{ priority: Number(priority), arrival: Number(arrival), leaseMs: Number(leaseMs) },
    ...{ token: Number(token), due: Number(due), base: Number(base), restMs: Number(rest) },
    ...{ resources: resources as Resource[], asked: resources.join(), arrivedAt: Number(arrival) / 1_000 },
  };
}

/**
 * What is wrong in a history, one line each: two leases in conflict at one instant, tokens that do not grow, a place that
 * was passed, a lease that ended early or came back, resources that did not rest, an offer withdrawn too soon or too late,
 * a living waiter passed over, somebody who could go on and was left waiting, a circle of waits.
 */
export function checkHistory(entries: readonly Entry[], limits: LockLimits): string[] {
  const now = new Map<string, Recorded>();
  const wrong: string[] = [];
  let [lastToken, lastArrival, lastLockMs] = [0, 0, 0];
  let changed: Recorded[] = [];
  const beats = new Map<string, number>();
  let over: string | undefined;
  const name = (one: Recorded): string => `${one.id} of ${one.run} (${one.mode} ${one.resources.join(", ")})`;
  const isBefore = (a: Recorded, b: Recorded): boolean => comesBefore(a, b, limits.ageingMs);
  const meet = meeting();
  const clash = (a: Recorded, b: Recorded): boolean =>
    a.id !== b.id && (a.mode === "x" || b.mode === "x") && meet(a, b);
  // A run is never in its own way, and an edit hook and another run of its agent may have the same; what rests nobody has.
  const inConflict = (a: Recorded, b: Recorded): boolean =>
    a.run !== b.run && !isOfOwnHook(a, b) && clash(a, b);
  const blocks = (other: Recorded, one: Recorded): boolean =>
    (other.state !== "waiting" || (!other.skipped && isBefore(other, one))) &&
    (other.state === "cooling" ? clash : inConflict)(other, one);

  const waits = new Waits(blocks);
  const silentMs = ({ process }: Recorded, lockMs: number): number => lockMs - (beats.get(process) ?? 0);
  const isOver = (one: Recorded, lockMs: number): boolean =>
    one.state === "offered"
      ? !isTooSoon(lockMs - one.base, silentMs(one, lockMs), limits)
      : one.state !== "waiting" && one.due <= lockMs;

  const closeScript = (entry: Entry): void => {
    const all = [...now.values()];
    const taken = all.filter(({ state }) => state !== "waiting");
    for (const one of changed) {
      const current = now.get(one.id);
      if (current && current.state !== "waiting")
        for (const other of taken)
          if (inConflict(current, other))
            wrong.push(`${name(current)} and ${name(other)} at once, after ${entry.script}`);
    }
    if (changed.length > 0) {
      waits.follow(changed, now);
      for (const one of all)
        if (isWaiting(one) && waits.of(one).size === 0)
          wrong.push(`${name(one)} waits for nobody, after ${entry.script}`);
      const circle = circleIn(all, waits, now);
      if (circle) wrong.push(`a circle of waits: ${circle.join(" → ")}, after ${entry.script}`);
    }
    for (const one of all)
      if (one.run === over && one.state !== "cooling")
        wrong.push(`${name(one)} is still there after its run`);
    for (const one of all)
      if (isOver(one, entry.lockMs)) wrong.push(`${name(one)} is over and still ${one.state}`);
    changed = [];
    over = undefined;
  };
  let last: Entry | undefined;
  for (const entry of entries) {
    if (entry.what === "begin") {
      if (last) closeScript(last);
      if (entry.lockMs < lastLockMs) wrong.push("lock time went back");
      // A gap counts whole where nobody was there before it.
      const wasThere = Math.max(...beats.values()) >= lastLockMs - limits.aliveMs;
      if (lastLockMs > 0 && wasThere && entry.lockMs - lastLockMs > limits.stepMs)
        wrong.push("lock time jumped");
      lastLockMs = entry.lockMs;
      last = entry;
      continue;
    }
    last = entry;
    if (entry.what === "beat") beats.set(entry.who!, entry.lockMs);
    if (entry.what === "over") over = entry.who;
    if (!entry.request) continue;
    const { request } = entry;
    const before = now.get(request.id);
    changed.push(request);
    if (entry.what === "remove") {
      now.delete(request.id);
      const mayEnd = /^(release-lock|force-release-lock)$/.test(entry.script) || request.run === over;
      const hasRunOut = before && before.state !== "offered" && isOver(before, entry.lockMs);
      if (!mayEnd && !hasRunOut) wrong.push(`${name(request)} ended early, by ${entry.script}`);
      if (!mayEnd && before?.state === "held" && before.restMs > 0)
        wrong.push(`${name(request)} ran out and does not rest`);
      continue;
    }
    now.set(request.id, request);
    if (!before) {
      if (request.arrival <= lastArrival) wrong.push(`${name(request)} did not come after those before it`);
      lastArrival = request.arrival;
    } else {
      if (request.arrival !== before.arrival || request.priority < before.priority)
        wrong.push(`${name(request)} lost its place`);
      if (request.asked !== before.asked) wrong.push(`${name(request)} asks for other things`);
    }
    const wasWaiting = !before || before.state === "waiting";
    if (wasWaiting && (request.state === "held" || request.state === "offered"))
      for (const other of now.values())
        if (
          other.state === "waiting" &&
          !other.skipped &&
          isBefore(other, request) &&
          inConflict(other, request)
        )
          wrong.push(`${name(request)} passed ${name(other)}`);
        else if (other.state === "cooling" && clash(other, request))
          wrong.push(`${name(request)} got what rests after ${name(other)}`);
    if (request.state === "held" && before?.state !== "held") {
      if (request.token <= lastToken) wrong.push(`the token of ${name(request)} did not grow`);
      lastToken = request.token;
      if (request.due !== entry.lockMs + request.leaseMs)
        wrong.push(`${name(request)} got another lease than asked for`);
      if (before?.state === "offered" && before.due + limits.offerMs < entry.lockMs)
        wrong.push(`${name(request)} took an offer that was over`);
    }
    if (request.state === "held" && before?.state === "held") {
      if (request.token !== before.token) wrong.push(`the token of ${name(request)} changed`);
      if (request.due < before.due) wrong.push(`${name(request)} was shortened`);
    }
    if (request.state === "cooling" && before?.state === "held") {
      if (before.due > entry.lockMs && request.run !== over)
        wrong.push(`${name(request)} lost its lease early`);
      if (request.due < entry.lockMs + before.restMs) wrong.push(`${name(request)} rests too short`);
    }
    if (before?.state === "cooling" && (request.state !== "cooling" || request.due !== before.due))
      wrong.push(`${name(request)} came back after its end`);
    if (request.state === "waiting" && before?.state === "held")
      wrong.push(`${name(request)} lost its lease to the queue`);
    if (request.state === "offered" && wasWaiting && silentMs(request, entry.lockMs) >= limits.aliveMs)
      wrong.push(`${name(request)} was offered although nobody is there`);
    if (request.skipped && before?.skipped && request.run === before.run && entry.script === "acquire-lock")
      wrong.push(`${name(request)} asked again and is still passed over`);
    if (request.skipped && !before?.skipped) {
      const isInTime =
        heldByItsRun(request, [...now.values()]) ||
        (before?.state === "offered"
          ? isOver(before, entry.lockMs) ||
            // What its own agent lost of it rests first.
            [...now.values()].some((other) => other.state === "cooling" && clash(other, request))
          : silentMs(request, entry.lockMs) >= limits.aliveMs);
      if (!isInTime) wrong.push(`${name(request)} was passed over too soon, by ${entry.script}`);
    }
  }
  if (last) closeScript(last);
  return wrong;
}

/** Whether any resource of one overlaps any of the other; each two are compared once, and asked for at every script. */
function meeting(): (one: Recorded, other: Recorded) => boolean {
  const known = new Map<string, Map<string, boolean>>();
  return (one, other) => {
    const ofOne = known.get(one.asked) ?? new Map<string, boolean>();
    if (ofOne.size === 0) known.set(one.asked, ofOne);
    const before = ofOne.get(other.asked);
    if (before !== undefined) return before;
    const meets = one.resources.some((a) => other.resources.some((b) => overlaps(a, b)));
    ofOne.set(other.asked, meets);
    return meets;
  };
}

const runs = new Map<string, { readonly agent: string; readonly isHook: boolean }>();

function ofRun(run: string): { readonly agent: string; readonly isHook: boolean } {
  const known = runs.get(run);
  if (known) return known;
  const read = { agent: run.split("/")[0]!, isHook: /^[^/]*\/guard-[\w-]{16}$/.test(run) };
  runs.set(run, read);
  return read;
}

function isOfOwnHook({ run: a }: Recorded, { run: b }: Recorded): boolean {
  const [one, other] = [ofRun(a), ofRun(b)];
  return (one.isHook || other.isHook) && one.agent === other.agent;
}

/** Whether an offer is not to be withdrawn yet. */
function isTooSoon(
  offeredMs: number,
  silentMs: number,
  { deadOfferMs, offerMs, aliveMs }: LockLimits,
): boolean {
  return offeredMs < deadOfferMs || (offeredMs < offerMs && silentMs < aliveMs);
}

/** Whether the run of a place holds all that it is for, so that it is offered none of it. */
function heldByItsRun(place: Recorded, all: readonly Recorded[]): boolean {
  const leases = all.filter(
    ({ run, state, mode }) => run === place.run && state === "held" && (mode === "x" || place.mode === "s"),
  );
  return place.resources.every((resource) =>
    leases.some((lease) => lease.resources.some((own) => covers(own, resource))),
  );
}

/** Who was passed over waits for nobody until it calls again. */
function isWaiting({ state, skipped }: Recorded): boolean {
  return state === "waiting" && !skipped;
}

/** Which requests each one that waits has before it. A script changes few of them: the others are not compared anew. */
class Waits {
  readonly #blocks: (other: Recorded, one: Recorded) => boolean;
  readonly #before = new Map<string, Set<string>>();

  constructor(blocks: (other: Recorded, one: Recorded) => boolean) {
    this.#blocks = blocks;
  }

  of({ id }: Recorded): ReadonlySet<string> {
    return this.#before.get(id)!;
  }

  /** @param now all that are there, by their ids */
  follow(changed: readonly Recorded[], now: ReadonlyMap<string, Recorded>): void {
    const ids = new Set(changed.map(({ id }) => id));
    for (const id of ids) this.#before.delete(id);
    for (const id of ids) {
      const other = now.get(id);
      for (const [one, before] of this.#before)
        if (other && this.#blocks(other, now.get(one)!)) before.add(id);
        else before.delete(id);
    }
    for (const id of ids) {
      const one = now.get(id);
      if (!one || !isWaiting(one)) continue;
      const before = new Set<string>();
      for (const other of now.values()) if (this.#blocks(other, one)) before.add(other.id);
      this.#before.set(id, before);
    }
  }
}

/**
 * A circle among runs: each waits for the next one to give something back. Who was passed over waits for nobody until it
 * calls again: only then is it refused when its wait would close a circle, see decision 0015.
 */
function circleIn(
  all: readonly Recorded[],
  waits: Waits,
  now: ReadonlyMap<string, Recorded>,
): readonly string[] | undefined {
  const waiting = new Map<string, Recorded[]>();
  for (const one of all) if (isWaiting(one)) waiting.set(one.run, [...(waiting.get(one.run) ?? []), one]);
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (run: string): readonly string[] | undefined => {
    if (done.has(run)) return undefined;
    const at = path.indexOf(run);
    if (at >= 0) return [...path.slice(at), run];
    path.push(run);
    for (const one of waiting.get(run) ?? [])
      for (const id of waits.of(one)) {
        const other = now.get(id)!;
        // What rests is held by nobody.
        const found = other.state === "cooling" ? undefined : visit(other.run);
        if (found) return found;
      }
    path.pop();
    done.add(run);
    return undefined;
  };
  for (const run of waiting.keys()) {
    const found = visit(run);
    if (found) return found;
  }
  return undefined;
}
