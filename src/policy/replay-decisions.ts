import type { CompiledRules } from "./compile-rules.js";
import { type Counter, type Effect, effects, type Limit } from "./decision.js";
import type { DecisionRecord } from "./decision-record.js";
import { amountOf } from "./explain-question.js";
import { defaultPolicyLimits } from "./limits.js";
import type { Question } from "./question.js";

/** What became of a question once, and what would become of it. */
export interface Replayed {
  readonly record: DecisionRecord;
  /** What the rules and limits of then said; `require_approval` also where a person agreed and it was allowed. */
  readonly before: Effect;
  readonly after: Effect;
  /** The rules that would decide, and the limits that would be exceeded. */
  readonly rules: readonly string[];
  readonly limits: readonly string[];
}

/**
 * Decides past questions again under other rules.
 *
 * What was counted and used at the time is what the record says, where the same is counted in the same way. Where it is
 * not (a counter or limit that was not there, or has changed), it is added up from the given records alone, with estimated
 * costs: what happened before the first of them is not known.
 *
 * @param records the oldest first
 * @param rulesOf the rules of a version that decided then, undefined where they are no longer kept
 */
export function* replayDecisions(
  records: Iterable<DecisionRecord>,
  rules: CompiledRules,
  rulesOf: (version: number) => CompiledRules | undefined,
): Generator<Replayed> {
  const tally = new Tally();
  for (const record of records) {
    const then = rulesOf(record.version);
    const asked = questionOf(record);
    const counters = rules.countersOf(asked);
    const counts = countsOf(record, counters, then?.countersOf(asked) ?? [], tally);
    const question = { ...asked, counts };
    const decision = rules.decide(question);
    const limits = decision.effect === "deny" ? [] : limitsFor(rules, question);
    const limitsThen = then?.limitsOf(asked) ?? [];
    const exceeded = limits.filter((limit) => isExceeded(limit, record, limitsThen, tally));
    const after = mostRestrictive([decision.effect, ...exceeded.map(({ effect }) => effect)]);
    const isCounted = record.call?.each !== true;
    const counting = counters.filter((counter) => counter.counts && isCounted);
    for (const counter of counting) tally.add(counter, record, 1);
    // What is not done uses nothing, and is counted again when it is asked for again.
    if (isCounted && after === "allow" && (record.call?.effect ?? "allow") === "allow") {
      for (const limit of limits) tally.add(limit, record, amountOf(limit, record));
      for (const one of [...counting, ...limits]) tally.note(one, record);
    }
    yield {
      record,
      before: wasApproved(record, then) ? "require_approval" : record.effect,
      after,
      rules: decision.rules.map(({ id }) => id),
      limits: exceeded.map(({ id }) => id),
    };
  }
}

function questionOf({ at, agent, action, resource, context, counts, reads }: DecisionRecord): Question {
  return { agent, action, resource, context, counts, reads, nowMs: at };
}

/** A step that costs nothing takes nothing of a budget, and needs none. */
function limitsFor(rules: CompiledRules, question: Question): readonly Limit[] {
  return rules.limitsOf(question).filter((limit) => !limit.shadow && amountOf(limit, question) > 0);
}

/** A step that a person agreed to is recorded as allowed, by rules and limits that do not allow it. */
function wasApproved(record: DecisionRecord, then: CompiledRules | undefined): boolean {
  if (record.effect !== "allow") return false;
  return record.limits.length > 0 || then?.decide(questionOf(record)).effect === "require_approval";
}

function countsOf(
  record: DecisionRecord,
  counters: readonly Counter[],
  countersThen: readonly Counter[],
  tally: Tally,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const counter of counters) {
    const { name, subject, windowMs } = counter;
    const same = countersThen.some(
      (one) => one.name === name && one.subject === subject && one.windowMs === windowMs,
    );
    const told = record.counts[name];
    counts[name] = same && told !== undefined ? told : tally.before(counter, record, 1);
  }
  return counts;
}

function isExceeded(
  limit: Limit,
  record: DecisionRecord,
  limitsThen: readonly Limit[],
  tally: Tally,
): boolean {
  const { id, of, subject, windowMs, most } = limit;
  const then = limitsThen.find(
    (one) =>
      one.id === id &&
      one.of === of &&
      one.subject === subject &&
      one.windowMs === windowMs &&
      one.shadow === limit.shadow,
  );
  // Where rules forbade it, limits were not looked at.
  const wasLookedAt = (record.call?.effect ?? record.effect) !== "deny" || record.limits.length > 0;
  if (then && wasLookedAt) {
    const was = record.limits.includes(id);
    if (was && most <= then.most) return true;
    if (!was && most >= then.most) return false;
  }
  const amount = amountOf(limit, record);
  return tally.before(limit, record, amount) + amount > most;
}

function mostRestrictive(said: readonly Effect[]): Effect {
  return effects[Math.max(...said.map((effect) => effects.indexOf(effect)))]!;
}

/** Sums by window, as the store keeps them. */
class Tally {
  readonly #sums = new Map<string, number>();
  /** Calls by their callers' keys in what they were counted in, and until when they are there once. */
  readonly #once = new Map<string, number>();
  /** The same by the call of which they are wishes. */
  readonly #wishes = new Map<
    string,
    readonly { readonly once: string; readonly behind: number; readonly until: number }[]
  >();

  /** How much was there before, without the same call when it was made before. */
  before(what: Counter | Limit, record: DecisionRecord, amount: number): number {
    const sum = this.#sums.get(keyOf(what, record.at)) ?? 0;
    const own = this.#isNoted(what, record) ? amount : 0;
    return Math.max(sum - own - ("name" in what ? this.#behind(what, record) : 0), 0);
  }

  /** How many of the wishes that the same call asks about behind this were counted when it was made before. */
  #behind(what: Counter, { at, once, wish }: DecisionRecord): number {
    if (wish === undefined) return 0;
    const noted = this.#wishes.get(`${wish.call} ${keyOf(what, at)}`) ?? [];
    return noted.filter((one) => one.behind < wish.behind && one.once !== once && one.until > at).length;
  }

  add(what: Counter | Limit, record: DecisionRecord, amount: number): void {
    if (this.#isNoted(what, record)) return;
    const key = keyOf(what, record.at);
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + amount);
  }

  /** It is let pass: made again, it is counted there no more. */
  note(what: Counter | Limit, record: DecisionRecord): void {
    if (record.once === undefined || this.#isNoted(what, record)) return;
    const { at, once, wish } = record;
    const until = at + defaultPolicyLimits.idempotencyMs;
    this.#once.set(`${once} ${keyOf(what, at)}`, until);
    if (wish === undefined) return;
    const key = `${wish.call} ${keyOf(what, at)}`;
    this.#wishes.set(key, [...(this.#wishes.get(key) ?? []), { once, behind: wish.behind, until }]);
  }

  #isNoted(what: Counter | Limit, { once, at }: DecisionRecord): boolean {
    return once !== undefined && (this.#once.get(`${once} ${keyOf(what, at)}`) ?? 0) > at;
  }
}

function keyOf(what: Counter | Limit, at: number): string {
  const name = "name" in what ? `counter ${what.name}` : `limit ${what.id}`;
  return JSON.stringify([name, what.subject, what.windowMs, Math.floor(at / what.windowMs)]);
}
