import { setImmediate } from "node:timers/promises";
import { MailboxError } from "../errors/index.js";
import { type Action, type Asked, type Caller, isOperator } from "../identity/index.js";
import { policyKeys } from "../redis/index.js";
import { counterField, limitField, windowAt } from "./budget-field.js";
import type { PolicyContext } from "./context.js";
import type { Counter, Decision } from "./decision.js";
import { notifyTold, withoutNotices } from "./duties.js";
import { type Question, withCounts } from "./question.js";
import { askedBy } from "./question-of.js";
import { refusalFacts } from "./refusal-facts.js";
import type { InForce } from "./rule-book.js";

/** So many names are decided before others in this process have their turn. */
const mostAtOnce = 100;

/** So many counters are looked up with one command. */
const mostLookedUp = 5_000;

/** What rules say of each name that one call reaches by a name for all of them. */
export interface EachDecided {
  /** Whom the call does not reach, and why. */
  readonly refused: ReadonlyMap<string, MailboxError>;
  /** To be told whether the call had an effect: only then the run owes the duties of those it reached. */
  readonly settle: (hadEffect: boolean) => Promise<void>;
}

type Asking = Omit<Question, "counts">;

const nobody: EachDecided = { refused: new Map(), settle: async () => {} };

/**
 * Asks the rules about each of the names that a call reaches by a name for all, such as `everyone`, as they would be asked
 * about it alone. Where that wants a person, or a limit counts it apart, it is refused: to reach that one it is named.
 *
 * The store is asked only where rules ask how often something was, once for all names; the call itself counts once.
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
  const countsFor = await countsOfEach(context, namespace, inForce, whole, names);
  const known = limitsCounting(inForce, whole);
  const refused = new Map<string, MailboxError>();
  const reached: { readonly question: Question; readonly decision: Decision }[] = [];
  const told: typeof reached = [];
  for (const [n, name] of names.entries()) {
    if (n % mostAtOnce === mostAtOnce - 1) await setImmediate();
    const question = withCounts({ ...whole, resource: name }, countsFor(name));
    const decision = inForce.rules.decide(question);
    const isCountedApart = [...limitsCounting(inForce, question)].some((field) => !known.has(field));
    if (decision.effect === "allow" && !isCountedApart) {
      if (decision.obligations.length > 0) reached.push({ question, decision });
      continue;
    }
    refused.set(name, refusalOf(decision));
    if (decision.effect === "deny" && decision.obligations.length > 0) told.push({ question, decision });
  }
  const tell = (of: typeof reached): void => {
    for (const { question, decision } of of)
      notifyTold(context, caller, question, {
        decision: decision.effect,
        reasons: decision.rules.map(({ id }) => ({ by: `rule ${id}` })),
        obligations: decision.obligations,
      });
  };
  tell(told);
  return {
    refused,
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

/** The limits of calls that count a question, as they are kept. */
function limitsCounting({ rules }: InForce, question: Asking): ReadonlySet<string> {
  return new Set(
    rules
      .limitsOf(question)
      .filter(({ of, shadow }) => of === "calls" && !shadow)
      .map(limitField),
  );
}

/** How often everything was of which rules ask, for each name. */
async function countsOfEach(
  { deps }: PolicyContext,
  namespace: string,
  { rules }: InForce,
  whole: Asking,
  names: readonly string[],
): Promise<(name: string) => Question["counts"]> {
  // Of which counters rules ask depends on the action alone.
  if (rules.countersOf(whole).length === 0) return () => ({});
  const countersOf = (name: string): readonly Counter[] => rules.countersOf({ ...whole, resource: name });
  const fields = [...new Set(names.flatMap((name) => countersOf(name).map((one) => kept(one, whole.nowMs))))];
  const counts = new Map<string, number>();
  for (let from = 0; from < fields.length; from += mostLookedUp) {
    const some = fields.slice(from, from + mostLookedUp);
    const found = (await deps.store.command("HMGET", policyKeys(namespace).counts, ...some)) as (
      | string
      | null
    )[];
    for (const [n, field] of some.entries()) counts.set(field, Number(found[n] ?? 0));
  }
  return (name) =>
    Object.fromEntries(countersOf(name).map((one) => [one.name, counts.get(kept(one, whole.nowMs)) ?? 0]));
}

/** Where a counter is kept in the window that runs. */
function kept(counter: Counter, nowMs: number): string {
  return windowAt(counterField(counter), counter.windowMs, nowMs).key;
}
