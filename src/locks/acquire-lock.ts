import { covers, parseResources, type Resource } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Action, type Asked, admitAll, type Caller, PendingRow } from "../identity/index.js";
import { loadScript, Wake } from "../redis/index.js";
import { agentOf } from "./agent-of.js";
import { askedToAcquire, whereToTell } from "./asked-to-acquire.js";
import { circleFor } from "./circle-in-words.js";
import type { LockContext } from "./context.js";
import type { AcquireLock, Holder, LockAnswer, LockNews, Mode, TellOptions } from "./contract.js";
import { type FoundLock, findLock } from "./find-lock.js";
import { isGuardRun } from "./guard-run.js";
import { newLockId } from "./lock-id.js";
import { lossNamed, tellOfRefused } from "./loss-named.js";
import { type NamedCall, namedCall } from "./named-call.js";
import { plainId } from "./plain-id.js";
import { LockWait, type Pulse } from "./pulse.js";
import { renewLease } from "./renew-leases.js";
import { shownResources } from "./shown-resource.js";
import { rememberPassed } from "./standings.js";
import { modeInWords, stateInWords } from "./state-in-words.js";

const acquireLockScript = loadScript(import.meta.url, "acquire-lock.lua");

export interface WaitOptions extends TellOptions {
  /** Ends the wait; what was granted by then stays granted. */
  readonly signal?: AbortSignal;
  /** Called every 10 s while the call waits. */
  readonly onWaiting?: (secondsLeft: number) => void;
  /** Aborts when the wait is to end as if its time were over. */
  readonly over?: AbortSignal;
  /** Of an edit hook: another run of its agent holds all of it, for which the rules of policy were asked. */
  readonly isHeld?: boolean;
  /** Of an edit hook, of which nothing is remembered between two edits: the store is asked first whether it has it. */
  readonly mayHold?: boolean;
}

/** What one look at the queue needs. */
interface Wish {
  readonly ticket: string;
  readonly mode: Mode;
  readonly resources: readonly Resource[];
  /** What its ticket is for, which it need not say; what it asks for itself where that is unknown. */
  readonly about: readonly Resource[];
  readonly priority: number | undefined;
  readonly leaseMs: number | undefined;
  /** An address of the caller's own, or a topic; empty for nowhere. */
  readonly notify: string;
  readonly named: NamedCall;
  /** What rules of policy are told of it. */
  readonly asked: Asked;
  /** The rules were asked before: when the ticket was queued with which it goes on, or for what its agent holds. */
  readonly goesOn: boolean;
  /** It waits in this very call, whose admission is spent: it gets what its place becomes, and nothing in its stead. */
  readonly waits: boolean;
  /** It asks for nothing but what the run holds already, for which the rules were asked when it got it. */
  readonly heldOnly: boolean;
  readonly tells: (news: LockNews) => void;
}

interface Found {
  readonly answer: LockAnswer;
  /** Whether this call took a place or a lease, or changed one; not where it finds what the run had already. */
  readonly hadEffect: boolean;
}

/**
 * Grants a lease on all of the resources, or queues the caller by priority and arrival; with `lock_id`, renews.
 *
 * At most one conflicting lease is live at any instant of lock time. The holder's own clock may differ: protect each
 * write with the fencing token, not with the expiry. What the run already holds, by one lease or several, is answered as
 * `already_held` with their tokens, by access alone: the rules were asked when it was granted. A place in the queue is kept between calls; a call that waits answers at once when it
 * learns that it waits in a circle that only a message, a decision or the end of a turn would open; a call that waits
 * while another one of its run takes what came of it, or gives it up, is refused. A lease or a place of another run of the
 * agent that is named passes to this run, and that one is told; what an edit hook has stays with it.
 *
 * @throws {MailboxError} `access.denied`, `policy.*`, `lock.resource_invalid`, `lock.deadlock`, `lock.too_many_waiters`,
 *   `lock.too_wide`, `lock.full`, `lock.not_yours`, `lock.ticket_unknown`; `input.invalid` also when what is named is for something else
 */
export async function acquireLock(
  context: LockContext,
  caller: Caller,
  input: AcquireLock,
  options: WaitOptions = {},
): Promise<LockAnswer> {
  const found = await whatIsNamed(context, caller, input);
  if (input.lock_id !== undefined) {
    const renewed = await renewLease(context, caller, input.lock_id, input.lease_seconds, found, options);
    if (renewed) return renewed;
  }
  const { isHeld, tells } = options;
  const wish = {
    ...wishOf(context, caller, input, found),
    ...(isHeld && { goesOn: true }),
    ...(tells && { tells }),
  };
  const held = await lookAtHeld(context, caller, wish, options.mayHold);
  if (held) return held;
  const row = await admitted(context, caller, wish);
  const waitMs = (input.wait_seconds ?? 0) * 1000;
  return row.settling(
    () =>
      waitMs === 0 ? lookWith(context, caller, wish, row) : wait(context, caller, wish, row, waitMs, options),
    () => false,
  );
}

/**
 * What the lease or ticket that the call names is for; undefined when it names none, or one that is no more.
 *
 * @throws {MailboxError} `input.invalid` when the call says that it is for something else
 */
async function whatIsNamed(
  context: LockContext,
  caller: Caller,
  { ticket, lock_id: lockId, resources: asked, mode }: AcquireLock,
): Promise<FoundLock | undefined> {
  const id = lockId ?? ticket;
  if (id === undefined) return undefined;
  if (ticket !== undefined && ticket !== id)
    refuse("input.invalid", { problem: "name a ticket or a lock_id, not both" });
  const known = context.known(caller)?.resourcesOf(id);
  if (known && asked === undefined && mode === undefined)
    return { resources: known as readonly Resource[], ofHook: false };
  const resources = asked === undefined ? undefined : parseResources(asked);
  const found = await findLock(context, caller, id);
  const isOther =
    found &&
    ((resources && resources.join("\n") !== found.resources.join("\n")) || (mode && mode !== found.mode));
  if (isOther)
    refuse("input.invalid", {
      problem: `${plainId(id)} is for ${shownResources(found.resources)}, ${found.mode}; to go on with that name it alone, for something else leave it out`,
    });
  return found;
}

function wishOf(
  context: LockContext,
  caller: Caller,
  input: AcquireLock,
  found: FoundLock | undefined,
): Wish {
  const ticket = input.ticket ?? input.lock_id ?? "";
  const resources = parseResources(input.resources ?? []);
  if (ticket === "" && resources.length === 0)
    refuse("input.invalid", { problem: "name resources, a ticket to go on with, or a lock_id to renew" });
  const seconds = input.lease_seconds;
  const leaseMs = seconds === undefined ? undefined : seconds * 1000;
  const mode = input.mode ?? "exclusive";
  return {
    asked: {
      arguments: askedToAcquire(input, resources),
      ...(input.idempotency_key === undefined ? {} : { idempotencyKey: input.idempotency_key }),
    },
    goesOn: resources.length === 0 || found !== undefined,
    waits: false,
    heldOnly: false,
    tells: () => undefined,
    ticket,
    mode,
    resources,
    about: found?.resources ?? resources,
    priority: input.priority,
    leaseMs: leaseMs ?? (ticket === "" ? context.limits.leaseMs : undefined),
    notify: input.notify === undefined ? "" : whereToTell(caller.principal.agent, input.notify),
    named: namedCall(caller, "acquire_lock", input.idempotency_key, [mode, ticket, ...resources]),
  };
}

async function admitted(context: LockContext, caller: Caller, wish: Wish): Promise<PendingRow> {
  const known = context.known(caller)?.waits.get(wish.ticket);
  // What a ticket that is no more was for, nobody can say.
  const resources = wish.about.length > 0 ? wish.about.map((one) => `lock:${one}`) : ["*"];
  const wishes = resources.map((resource) => ["lock.acquire", resource] as const);
  const topic: (readonly [Action, string])[] = wish.notify.startsWith("topic:")
    ? [["topic.publish", wish.notify]]
    : [];
  const { admit } = context.deps;
  if (!wish.goesOn)
    return new PendingRow(...(await admitAll(admit, caller, [...wishes, ...topic], wish.asked)));
  // Another topic than the one for which the rules were asked is asked about.
  const asked = known?.notify === wish.notify ? undefined : wish.asked;
  return new PendingRow(
    ...(await admitAll(admit, caller, wishes)),
    ...(await admitAll(admit, caller, topic, asked)),
  );
}

/**
 * A ticket that is no more is no obstacle for whoever says the resources too: it is asked for anew, by the rules of now.
 * Not so for a call that waited with it: another one of its run may have had what it became, which was let pass once.
 */
async function lookWith(
  context: LockContext,
  caller: Caller,
  wish: Wish,
  row: PendingRow,
): Promise<LockAnswer> {
  const found = await look(context, caller, wish, row);
  if (found) {
    // Whatever comes of waiting: a place in the queue is as good as the lease that comes of it.
    await row.settle(found.hadEffect);
    return found.answer;
  }
  const known = context.known(caller);
  // What closes the reply tells of a lease where this call goes on without it.
  if (goesOnWithout(wish) && known?.leases.has(wish.ticket)) known.heard(new Set([wish.ticket]));
  else known?.drop(wish.ticket);
  if (!goesOnWithout(wish))
    refuse("lock.ticket_unknown", {
      ticket: plainId(wish.ticket),
      because: wish.waits
        ? "it was given up meanwhile, taken by force, or lost while this process stood still"
        : "it was given up, it was taken by force, it ended with its run, or it was never given",
      instead: "the resources again",
    });
  const anew: Wish = {
    ...wish,
    about: wish.resources,
    ticket: "",
    leaseMs: wish.leaseMs ?? context.limits.leaseMs,
    goesOn: false,
  };
  if (!wish.goesOn) return lookWith(context, caller, anew, row);
  const held = await lookAtHeld(context, caller, anew);
  if (held) return held;
  const other = await admitted(context, caller, anew);
  return other.settling(
    () => lookWith(context, caller, anew, other),
    () => false,
  );
}

/** Whether a call goes on without its ticket where that is no more. */
function goesOnWithout({ resources, waits }: Wish): boolean {
  return resources.length > 0 && !waits;
}

/**
 * What the run holds already is no new wish: the rules let it have that. What this process remembers tells only when to ask
 * the store for nothing else; that decides, and where it is not held any more all rules are asked.
 */
async function lookAtHeld(
  context: LockContext,
  caller: Caller,
  wish: Wish,
  mayHold = false,
): Promise<LockAnswer | undefined> {
  const leases = [...(context.known(caller)?.leases.values() ?? [])].flatMap(({ resources }) => resources);
  const isHeld = (resource: Resource): boolean => leases.some((own) => covers(own as Resource, resource));
  if (wish.ticket !== "" || !(mayHold || wish.resources.every(isHeld))) return undefined;
  const row = await admitted(context, caller, { ...wish, goesOn: true, notify: "" });
  const found = await row.settling(
    () => look(context, caller, { ...wish, heldOnly: true }, row),
    () => false,
  );
  return found?.answer;
}

/** Waits without a store command: for a hint that names the ticket, or for anything that may have swallowed one. */
async function wait(
  context: LockContext,
  caller: Caller,
  first: Wish,
  row: PendingRow,
  waitMs: number,
  { signal, onWaiting, over }: WaitOptions,
): Promise<LockAnswer> {
  const pulse = context.pulse(caller.principal.namespace);
  const from = performance.now();
  const wake = new Wake({ until: performance.now() + waitMs, signals: [signal, over], tell: onWaiting });
  const waiting = new LockWait(wake);
  // Listening begins before looking, so that what comes in between is not missed.
  pulse.add(waiting);
  try {
    await pulse.listen();
    let wish = first;
    for (;;) {
      waiting.rest();
      const answer = await lookWith(context, caller, wish, row);
      if (answer.state !== "queued" || signal?.aborted) return answer;
      if (performance.now() >= wake.until || over?.aborted)
        return { ...answer, timed_out: true, waited_seconds: Math.round((performance.now() - from) / 1000) };
      const ticket = answer.ticket!;
      // Only whoever has the answer can do something about it, so it is told at once; who goes on waiting knows of it.
      if (context.memory(caller).isNewsOfWait(ticket, answer.circle)) return answer;
      wish = { ...wish, ticket, waits: true, named: { operation: "", digest: "" } };
      waiting.waitsWith(ticket);
      await wake.sleep();
      // Nobody hears what a cancelled call would be granted: the offer stands until the agent calls again.
      if (signal?.aborted) return answer;
      // Nobody gets by waiting what was denied meanwhile.
      for (const resource of answer.resources)
        await context.deps.admit(caller, "lock.acquire", `lock:${resource}`);
    }
  } finally {
    pulse.remove(waiting);
    wake.end();
  }
}

/** With these words the script leaves no row: the call is refused, or goes on and leaves it then. */
const inVain = new Set([
  "UNKNOWN",
  "NOT_HELD",
  "ELSEWHERE",
  "GONE",
  "DEADLOCK",
  "CROWDED",
  "FULL",
  "CONFLICT",
]);

/** One look; undefined when the ticket is unknown, or what alone is asked for is not held. */
async function look(
  context: LockContext,
  caller: Caller,
  wish: Wish,
  row: PendingRow,
): Promise<Found | undefined> {
  const { limits } = context;
  const pulse = pulseOf(context, caller);
  const asked = wish.ticket === "" ? wish.resources : [];
  const [word, ...rest] = await context.runFor(caller, acquireLockScript, [
    pulse ? context.process : "",
    newLockId(),
    wish.ticket,
    wish.mode === "shared" ? "s" : "x",
    wish.priority ?? "",
    wish.leaseMs ?? "",
    wish.named.operation,
    wish.named.digest,
    limits.idempotencyMs,
    row.text,
    wish.notify,
    wish.waits ? "1" : goesOnWithout(wish) && context.known(caller)?.leases.has(wish.ticket) ? "2" : "",
    wish.heldOnly ? "1" : "",
    ...asked,
  ]);
  if (!inVain.has(String(word))) row.written();
  pulse?.seen();
  switch (word) {
    case "GRANTED":
    case "ALREADY": {
      const [hadEffect, id, token, endsAt, leftMs, mode, resources, along, older = [], lostAt = ""] =
        rest as [
          string,
          string,
          string,
          string,
          string,
          string,
          readonly string[],
          readonly string[],
          (readonly string[][])?,
          string?,
        ];
      const lease = { id, resources, token: Number(token), mode: modeInWords(mode) };
      context.memory(caller).holds(lease, Number(leftMs));
      rememberPassed(context, caller, along);
      pulse?.goOn();
      return {
        answer: {
          state: word === "GRANTED" ? "granted" : "already_held",
          lock_id: id,
          token: lease.token,
          expires_at: isoTime(Number(endsAt)),
          resources,
          ...(older.length > 0 && {
            older: older.map(([lockId, ...common]) => ({ lock_id: lockId!, resources: common })),
          }),
          ...(lostAt !== "" && { lost_at: isoTime(Number(lostAt)) }),
        },
        hadEffect: hadEffect === "1",
      };
    }
    case "COVERED":
      return {
        answer: covered(context, caller, wish, rest[0] as readonly CoveringWords[]),
        hadEffect: false,
      };
    case "QUEUED": {
      const [hadEffect, id, place, dueIn, circle, holders, resources, along, before, lostAt = ""] = rest as [
        string,
        string,
        string,
        string,
        readonly string[],
        readonly string[],
        readonly string[],
        readonly string[],
        readonly string[],
        string?,
      ];
      context.memory(caller).waitsFor(id, resources, wish.notify);
      rememberPassed(context, caller, along);
      pulse?.goOn(Number(dueIn));
      return {
        answer: {
          state: "queued",
          ticket: id,
          place: Number(place),
          holders: holdersOf(holders, caller.principal.agent),
          ...(before.length > 0 && { before: before.map((run) => waiterOf(run, caller.principal.agent)) }),
          ...(await warningOf(context, caller, circle)),
          ...(lostAt !== "" && { lost_at: isoTime(Number(lostAt)) }),
          timed_out: false,
          resources,
        },
        hadEffect: hadEffect === "1",
      };
    }
    case "UNKNOWN":
      if (!goesOnWithout(wish)) {
        const known = context.known(caller);
        tellOfRefused(known, await lossNamed(context, caller, wish.ticket, Number(rest[0])), wish.tells);
      }
      return undefined;
    case "NOT_HELD":
      return undefined;
    case "ELSEWHERE":
      dropElsewhere(context, caller, wish);
      return refuse("lock.ticket_unknown", {
        ticket: plainId(wish.ticket),
        because: "another run of yours called with it, and has it now",
        instead: "it again to take it back",
      });
    case "GONE":
      return refuse("lock.not_yours", { lock_id: plainId(String(rest[0])) });
    case "DEADLOCK":
      return refuse("lock.deadlock", {
        circle: await circleFor(context, caller, rest[0] as readonly string[]),
      });
    case "CROWDED":
      return refuse("lock.too_many_waiters", {
        limit: limits.waiters,
        number: wish.resources.indexOf(rest[0] as Resource) + 1,
      });
    case "WIDE":
      return refuse("lock.too_wide");
    case "FULL":
      return rest[0] === "RUN"
        ? refuse("lock.full", { who: "this run", limit: limits.requestsOfRun })
        : refuse("lock.full", { who: "this namespace", limit: limits.requests });
    case "CONFLICT":
      return refuse("lock.idempotency_conflict");
    default:
      throw new Error(`acquire-lock answered ${word}`);
  }
}

/** A ticket that passed to another run of the agent while this call waited with it. */
function dropElsewhere(context: LockContext, caller: Caller, { ticket, tells }: Wish): void {
  const known = context.known(caller);
  const resources = known?.resourcesOf(ticket);
  if (resources) tells({ id: ticket, what: "elsewhere", resources });
  known?.drop(ticket);
}

/**
 * The heartbeat of what this run gets here. A hook has none: it is over with its answer, so that its silence tells nothing
 * of a clock that jumped, and lock time is not cut short for it.
 */
function pulseOf(context: LockContext, caller: Caller): Pulse | undefined {
  return isGuardRun(caller.run.id) ? undefined : context.pulse(caller.principal.namespace);
}

/** What is told of a circle that a message, a decision or the end of a turn would open. */
async function warningOf(
  context: LockContext,
  caller: Caller,
  circle: readonly string[],
): Promise<Pick<LockAnswer, "awaits_you" | "own_edit_hook" | "circle"> | undefined> {
  if (circle.length === 0) return undefined;
  const [from, resource, to] = circle.slice(-3);
  const awaitsAsker = resource === "" && to === caller.principal.agent;
  return {
    circle: await circleFor(context, caller, circle),
    ...(awaitsAsker && { awaits_you: from! }),
    ...(isGuardRun(to!) && { own_edit_hook: true }),
  };
}

type CoveringWords = readonly [
  ...[string, string, string, string, string],
  readonly string[],
  readonly string[],
];

/** What the run holds otherwise than it asked for it: under one lease that means more, or under several. */
function covered(
  context: LockContext,
  caller: Caller,
  wish: Wish,
  words: readonly CoveringWords[],
): LockAnswer {
  const leases = words.map(([id, token, endsAt, leftMs, mode, resources, covers]) => {
    const lease = { id, resources, token: Number(token), mode: modeInWords(mode) };
    context.memory(caller).holds(lease, Number(leftMs));
    return { lock_id: id, token: lease.token, expires_at: isoTime(Number(endsAt)), resources, covers };
  });
  pulseOf(context, caller)?.goOn();
  const [only, ...more] = leases;
  if (only && more.length === 0) {
    const { covers: _, ...lease } = only;
    return { state: "already_held", ...lease, leases };
  }
  const first = Math.min(...words.map(([, , endsAt]) => Number(endsAt)));
  return { state: "already_held", expires_at: isoTime(first), resources: wish.resources, leases };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function waiterOf(run: string, asker: string): { readonly agent: string; readonly own?: "another run" } {
  const agent = agentOf(run);
  return { agent, ...(agent === asker && { own: "another run" as const }) };
}

function holdersOf(words: readonly string[], asker: string): Holder[] {
  const holders: Holder[] = [];
  for (let n = 0; n + 5 < words.length; n += 6) {
    // What rests is nobody's any more.
    const passes = agentOf(words[n]!) === asker && words[n + 2] !== "cooling";
    holders.push({
      agent: agentOf(words[n]!),
      ...(passes && { own: "another run" as const, lock_id: words[n + 5]! }),
      mode: modeInWords(words[n + 1]!),
      state: stateInWords(words[n + 2]!),
      until: isoTime(Number(words[n + 3])),
      resource: words[n + 4]!,
    });
  }
  return holders;
}
