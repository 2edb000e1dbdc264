import type { Caller } from "../identity/index.js";
import { agentOf } from "./agent-of.js";
import type { LockContext } from "./context.js";
import { isGuardRun } from "./guard-run.js";
import { shownResource } from "./shown-resource.js";

/** The circle as the caller may see it. That it is in one it is told in any case. */
export async function circleFor(
  { deps }: LockContext,
  caller: Caller,
  steps: readonly string[],
): Promise<string> {
  const may = await deps.rightsOf(caller).catch(() => () => false);
  return circleInWords(steps, caller.principal.agent, (resource) => may("lock.read", `lock:${resource}`));
}

/**
 * A circle of waits as whoever closed it reads it: `you wait for "a", where bob is before you; bob waits for "b", where you
 * are before it`. A step without a resource waits for a message or a decision; one for the run of an edit hook, for the
 * end of a turn. What others have of each other is not named where whoever closed it may not see that; what it asked for
 * itself, and what is wanted of it, is.
 */
function circleInWords(
  steps: readonly string[],
  asker: string,
  maySee: (resource: string) => boolean,
): string {
  const words: string[] = [];
  for (let n = 0; n + 2 < steps.length; n += 3) {
    const [from, resource, to] = [steps[n]!, steps[n + 1]!, steps[n + 2]!];
    const isFirst = n === 0;
    const isLast = n + 3 >= steps.length;
    // Of the same name, and not the one that asks.
    const name = (one: string): string => (one === asker ? "another run of yours" : one);
    const who = isFirst ? "you wait" : `${name(from)} waits`;
    const whom = isFirst ? "you" : "it";
    words.push(
      resource === ""
        ? `${who} for a message or a decision of ${isLast && !isFirst ? "yours" : to}`
        : `${who} for ${isFirst || isLast || maySee(resource) ? shownResource(resource) : "what you may not see"}, where ${before(isLast ? to : name(to), isLast, whom)}`,
    );
  }
  return words.join("; ").replace(/\.$/, "") || `${asker} waits for itself`;
}

function before(to: string, isAsker: boolean, whom: string): string {
  if (!isGuardRun(to)) return `${isAsker ? "you are" : `${to} is`} before ${whom}`;
  const [hook, turn] = isAsker
    ? ["your own edit hook", "your turn"]
    : [`an edit hook of ${agentOf(to)}`, "that turn"];
  return `${hook} is before ${whom} until ${turn} ends`;
}
