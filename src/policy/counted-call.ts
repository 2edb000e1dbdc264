import type { Asked, Caller } from "../identity/index.js";
import { digest, policyKeys } from "../redis/index.js";
import type { PolicyContext } from "./context.js";

/** Digests of what was given, each made once: a call of many wishes has one, and it may be large. */
const digests = new WeakMap<object, string>();

function digestOf(given: Asked["arguments"]): string {
  let known = digests.get(given);
  if (known === undefined) {
    known = digest(given);
    digests.set(given, known);
  }
  return known;
}

/** A call of one of our own tools by the key of its caller: the name under which it counts once. */
export function callNameOf(
  agent: string,
  action: string,
  resource: string,
  given: Asked["arguments"],
  key: string,
): string {
  return `t|${agent}|${digest([action, resource, digestOf(given), key])}`;
}

/** Those of what the call wants besides, and is asked about behind it. */
export function namesBehind(
  agent: string,
  { arguments: given, idempotencyKey: key, behind = [] }: Asked,
): readonly string[] {
  return key === undefined
    ? []
    : behind.map(([action, resource]) => callNameOf(agent, action, resource, given, key));
}

/** Which of the wishes of a call with a key one is: the name of the call, and how many are asked about behind it. */
export interface WishOfCall {
  readonly call: string;
  readonly behind: number;
}

/** Undefined without a key. */
export function wishOfCall({
  arguments: given,
  idempotencyKey: key,
  behind = [],
}: Asked): WishOfCall | undefined {
  return key === undefined ? undefined : { call: digest([digestOf(given), key]), behind: behind.length };
}

/** In which windows of counters and limits a call of that name was counted before, and is counted no more. */
export async function countedIn(
  { deps }: Pick<PolicyContext, "deps">,
  { principal: { namespace } }: Caller,
  callName: string,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const text = (await deps.store.command("HGET", policyKeys(namespace).operations, callName)) as
    | string
    | null;
  // Behind the digest and the attempt, see operations.lua; a line for each field, with until when it counts.
  const lines = (text ?? "").split("|").slice(2).join("|").split("\n");
  return new Set(
    lines.flatMap((line) => {
      const at = line.lastIndexOf(" ");
      return at > 0 && Number(line.slice(at + 1)) > nowMs ? [line.slice(0, at)] : [];
    }),
  );
}
