import type { WishOfCall } from "./counted-call.js";
import type { Decision } from "./decision.js";
import { partsLeftOut } from "./left-out.js";
import type { Question } from "./question.js";

/**
 * What a decision was made by, for a replay under other rules: the rest of a JSON object that the script begins, with
 * when it was, what came out, by which rules, and which limits were exceeded.
 *
 * A context that makes it longer than that is left out, but for cost and risk, and `cut` says so. So is one of which something
 * was left out of the question: by what stands for that it would be decided otherwise.
 */
export function writtenDecision(
  {
    via,
    version,
    approval,
    once,
    wish,
  }: {
    readonly via: "check" | "tool";
    readonly version: number;
    readonly approval?: string | undefined;
    readonly once?: string | undefined;
    readonly wish?: WishOfCall | undefined;
  },
  { agent, action, resource, context, counts, reads }: Question,
  { shadow, known }: Decision,
  mostBytes: number,
): string {
  const { name, role, roles, team, labels, verified } = agent;
  const record = {
    version,
    agent: { name, role, roles, team, labels, verified },
    action,
    resource,
    context,
    counts,
    reads,
    shadow: shadow.map(({ id, effect }) => ({ id, effect })),
    ...(known ? {} : { known }),
    ...(approval === undefined ? {} : { approval }),
    ...(once === undefined ? {} : { once }),
    ...(wish === undefined ? {} : { wish }),
    via,
  };
  const text = JSON.stringify(record);
  // What the script puts before it takes its room too.
  const isWhole = partsLeftOut(context.arguments).length === 0;
  if (isWhole && Buffer.byteLength(text) <= mostBytes - 1_024) return text.slice(1);
  const short = Object.fromEntries(
    ["cost", "risk"].flatMap((key) => (isShort(context[key]) ? [[key, context[key]]] : [])),
  );
  return JSON.stringify({
    ...record,
    context: short,
    reads: { unverified: [], foreign: [] },
    cut: true,
  }).slice(1);
}

function isShort(value: unknown): boolean {
  return (
    typeof value === "number" ||
    typeof value === "boolean" ||
    (typeof value === "string" && value.length < 200)
  );
}
