import { setImmediate } from "node:timers/promises";
import { MailboxError } from "../errors/index.js";
import { type Action, type Asked, type Caller, isOperator } from "../identity/index.js";
import { loadScript, policyKeys } from "../redis/index.js";
import { counterField, limitField, windowAt } from "./budget-field.js";
import type { PolicyContext } from "./context.js";
import { callNameOf, countedIn, namesBehind, type WishOfCall, wishOfCall } from "./counted-call.js";
import { type Counter, type Decision, type Effect, effects, type Limit } from "./decision.js";
import { notifyTold, withoutNotices } from "./duties.js";
import { withArgument } from "./given.js";
import { mostRecords } from "./limits.js";
import { type Question, withCounts } from "./question.js";
import { askedBy } from "./question-of.js";
import { refusalFacts } from "./refusal-facts.js";
import type { InForce } from "./rule-book.js";
import { writtenDecision } from "./written-decision.js";

const recordScript = loadScript(import.meta.url, "record-decisions.lua");

/** So many names are decided before others in this process have their turn. */
const mostAtOnce = 100;

/** So many counters are looked up with one command. */
const mostLookedUp = 5_000;

/** What rules say of each name that one call reaches by a name for all of them. */
export interface EachDecided {
  /** Whom the call does not reach, and why. */
  readonly refused: ReadonlyMap<string, MailboxError>;
  /**
   * To be told once the call itself was let pass, and whether it reaches anybody: what was decided of each is recorded then,
   * and whoever rules want told of a denial is told.
   *
   * @throws {MailboxError} `store.*`
   */
  readonly admitted: (reachesAny: boolean) => Promise<void>;
  /** To be told whether the call had an effect: only then the run owes the duties of those it reached. */
  readonly settle: (hadEffect: boolean) => Promise<void>;
}

type Asking = Omit<Question, "counts">;

/** What was decided of one. */
interface Decided {
  readonly question: Question;
  readonly decision: Decision;
  /** Limits that count it apart, for which it is not reached, and those that are only tried out. */
  readonly apart: readonly Limit[];
}

const nobody: EachDecided = { refused: new Map(), admitted: async () => {}, settle: async () => {} };

/**
 * Asks the rules about each of the names that a call reaches by a name for all, such as `everyone`, as they would be asked
 * about it alone: with that name in place of the name for all. Where that wants a person, or a limit counts it apart, it
 * is refused: to reach that one it is named. A call that was done before is asked about no more.
 *
 * The store is asked only where rules ask how often something was, once for all names and once for the call's key, and told
 * of what was not simply allowed; the call itself counts once.
 */
export async function enforceEach(
  context: PolicyContext,
  caller: Caller,
  action: Action,
  forAll: string,
  names: readonly string[],
  asked: Asked,
): Promise<EachDecided> {
  const { deps } = context;
  const { namespace } = caller.principal;
  if (isOperator(caller.principal)) return nobody;
  const inForce = await deps.inForce(namespace);
  if (!inForce.rules.concerns(action)) return nobody;
  const whole = await askedBy(context, caller, action, forAll, { arguments: asked.arguments });
  const each = names.map((name) => aboutOne(whole, name));
  const key = asked.idempotencyKey;
  const once =
    key === undefined
      ? undefined
      : callNameOf(caller.principal.agent, action, whole.resource, asked.arguments, key);
  const counted = once === undefined ? [] : [once, ...namesBehind(caller.principal.agent, asked)];
  const own = wishOfCall(asked);
  // All that are named are asked about behind these, wherever they stand.
  const wish = own && { ...own, behind: own.behind + 1 };
  const countsFor = await countsOfEach(context, caller, inForce, whole, each, counted);
  const known = new Set(limitsCounting(inForce, whole).map(limitField));
  const refused = new Map<string, MailboxError>();
  const spoken: Decided[] = [];
  for (const [n, one] of each.entries()) {
    if (n % mostAtOnce === mostAtOnce - 1) await setImmediate();
    const question = withCounts(one, countsFor(one));
    const decision = inForce.rules.decide(question);
    const apart = limitsCounting(inForce, question).filter((limit) => !known.has(limitField(limit)));
    const isRefused = decision.effect !== "allow" || apart.some(({ shadow }) => !shadow);
    if (isRefused) refused.set(one.resource, refusalOf(decision));
    if (isRefused || apart.length > 0 || decision.shadow.length > 0 || decision.obligations.length > 0)
      spoken.push({ question, decision, apart });
  }
  if (spoken.length > 0 && (await asked.wasDone?.())) return nobody;
  const reached = spoken.filter(({ question }) => !refused.has(question.resource));
  const tell = (of: readonly Decided[]): void => {
    for (const { question, decision } of of)
      notifyTold(context, caller, question, {
        decision: decision.effect,
        reasons: decision.rules.map(({ id }) => ({ by: `rule ${id}` })),
        obligations: decision.obligations,
      });
  };
  return {
    refused,
    admitted: async (reachesAny) => {
      await record(context, namespace, { version: inForce.version, once, wish }, spoken, {
        effect: reachesAny ? "allow" : "deny",
        steps: names.length,
      });
      tell(spoken.filter(({ decision }) => decision.effect === "deny"));
    },
    settle: async (hadEffect) => {
      if (!hadEffect) return;
      const duties = reached.flatMap(({ decision }) => withoutNotices(decision.obligations));
      context.owe(caller, action, [...new Set(duties)]);
      tell(reached);
    },
  };
}

function refusalOf({ effect, rules }: Decision): MailboxError {
  if (effect === "deny") return new MailboxError("policy.denied", refusalFacts(rules));
  const { reason, rules: by } = refusalFacts(rules);
  const needsPerson = effect === "require_approval";
  return new MailboxError("policy.denied", {
    reason: needsPerson ? reason : "a limit counts this one apart",
    rules: by,
    guidance: `Call with this name alone: then ${needsPerson ? "a person is asked" : "it is counted"}`,
    about: "",
  });
}

/** The same call as one about that name alone. */
function aboutOne(whole: Asking, name: string): Asking {
  return { ...whole, resource: name, context: withArgument(whole.context, "to", [name]) };
}

/** The limits of calls that count a question. */
function limitsCounting({ rules }: InForce, question: Asking): readonly Limit[] {
  return rules.limitsOf(question).filter(({ of }) => of === "calls");
}

/**
 * Records what was not simply allowed, the most restrictive first, as steps of the call that each can be decided again by
 * themselves.
 */
async function record(
  context: PolicyContext,
  namespace: string,
  by: {
    readonly version: number;
    readonly once: string | undefined;
    readonly wish: WishOfCall | undefined;
  },
  spoken: readonly Decided[],
  call: { readonly effect: Effect; readonly steps: number },
): Promise<void> {
  if (spoken.length === 0) return;
  const most = context.limits.decisionBytes;
  const first = spoken
    .map((one) => ({ ...one, ...saidOf(one) }))
    .sort((one, other) => effects.indexOf(other.effect) - effects.indexOf(one.effect))
    .slice(0, mostRecords);
  const texts = first.map(({ question, decision, apart, effect, limits }) => {
    const head = {
      effect,
      limits,
      shadowLimits: apart.filter(({ shadow }) => shadow).map(({ id }) => ({ id, effect: "deny" })),
      call: { ...call, recorded: first.length, each: true },
      rules: limits.length > 0 ? [] : decision.rules.map(({ id }) => id),
    };
    return `${JSON.stringify(head).slice(1, -1)},${writtenDecision({ via: "tool", ...by }, question, decision, most)}`;
  });
  await context.run(namespace, recordScript, [context.deps.store.attempt(), ...texts]);
}

/** What was decided of one by itself, and by which limits. */
function saidOf({ decision, apart }: Decided): {
  readonly effect: Effect;
  readonly limits: readonly string[];
} {
  const limits = apart.filter(({ shadow }) => !shadow).map(({ id }) => id);
  return decision.effect === "allow" && limits.length > 0
    ? { effect: "deny", limits }
    : { effect: decision.effect, limits: [] };
}

/** How often everything was of which rules ask, for each name. */
async function countsOfEach(
  context: PolicyContext,
  caller: Caller,
  { rules }: InForce,
  whole: Asking,
  each: readonly Asking[],
  callNames: readonly string[],
): Promise<(one: Asking) => Question["counts"]> {
  const { deps } = context;
  const { namespace } = caller.principal;
  // Of which counters rules ask depends on the action alone.
  if (rules.countersOf(whole).length === 0) return () => ({});
  const fields = new Map<Asking, readonly (readonly [name: string, field: string])[]>();
  for (const [n, one] of each.entries()) {
    if (n % mostAtOnce === mostAtOnce - 1) await setImmediate();
    fields.set(
      one,
      rules.countersOf(one).map((counter) => [counter.name, kept(counter, whole.nowMs)]),
    );
  }
  const all = [...new Set([...fields.values()].flat().map(([, field]) => field))];
  const counts = new Map<string, number>();
  for (let from = 0; from < all.length; from += mostLookedUp) {
    const some = all.slice(from, from + mostLookedUp);
    const found = (await deps.store.command("HMGET", policyKeys(namespace).counts, ...some)) as (
      | string
      | null
    )[];
    for (const [n, field] of some.entries()) counts.set(field, Number(found[n] ?? 0));
  }
  for (const callName of callNames) {
    // When it was made before, and nothing came of it, it is not there twice.
    for (const field of await countedIn(context, caller, callName, whole.nowMs))
      counts.set(field, Math.max((counts.get(field) ?? 0) - 1, 0));
  }
  return (one) =>
    Object.fromEntries((fields.get(one) ?? []).map(([name, field]) => [name, counts.get(field) ?? 0]));
}

/** Where a counter is kept in the window that runs. */
function kept(counter: Counter, nowMs: number): string {
  return windowAt(counterField(counter), counter.windowMs, nowMs).key;
}
