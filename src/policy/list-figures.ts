import type { Caller } from "../identity/index.js";
import { policyKeys } from "../redis/index.js";
import type { PolicyContext } from "./context.js";
import { fromMillionths } from "./millionths.js";
import { scanHash } from "./scan-hash.js";

/** What an agent was expected to cost on a day, what it said it did, and what somebody else says. */
export interface Figures {
  readonly agent: string;
  /** What it reserved. */
  readonly estimated: number;
  /** What it settled. */
  readonly settled: number;
  /** What was imported; undefined where nothing was. */
  readonly reported?: number;
  /** Where figures are apart by more than a fifth of the larger, and by more than 1; empty where they agree. */
  readonly off: readonly string[];
}

const dayMs = 86_400_000;

/**
 * The figures of each agent on a day of UTC, those first whose figures are off.
 *
 * @param day as 2026-11-25; today without it
 * @throws {MailboxError} `access.denied`
 */
export async function listFigures(
  { deps }: PolicyContext,
  caller: Caller,
  day?: string,
): Promise<{ readonly day: string; readonly agents: readonly Figures[] }> {
  await deps.record(caller, await deps.admit(caller, "admin.policy", "*"));
  const number = Math.floor((day === undefined ? deps.store.now() : Date.parse(day)) / dayMs);
  const { figures } = policyKeys(caller.principal.namespace);
  const sums = new Map<string, { estimated: number; settled: number; reported?: number }>();
  for (const [field, text] of await scanHash(deps.store, figures, `*|${number}|*`)) {
    const [agent, , what] = field.split("|") as [string, string, "estimated" | "settled" | "reported"];
    const sum = sums.get(agent) ?? { estimated: 0, settled: 0 };
    sums.set(agent, { ...sum, [what]: fromMillionths(Number(text)) });
  }
  const agents = [...sums]
    .map(([agent, sum]): Figures => ({ agent, ...sum, off: whatIsOff(sum) }))
    .sort((a, b) => b.off.length - a.off.length || (a.agent < b.agent ? -1 : 1));
  return { day: new Date(number * dayMs).toISOString().slice(0, 10), agents };
}

/** What is said of figures that are too far apart. */
export function whatIsOff({
  estimated,
  settled,
  reported,
}: Pick<Figures, "estimated" | "settled" | "reported">): readonly string[] {
  const found: string[] = [];
  const compare = (what: string, amount: number, than: string, other: number): void => {
    const apart = Math.abs(amount - other);
    const largest = Math.max(amount, other);
    if (apart <= 1 || apart <= 0.2 * largest) return;
    const share = other === 0 ? "" : ` by ${Math.round((100 * apart) / other)} %`;
    found.push(`${what} ${amount > other ? "above" : "below"} ${than}${share}`);
  };
  compare("settled", settled, "estimated", estimated);
  if (reported !== undefined) compare("settled", settled, "reported", reported);
  return found;
}
