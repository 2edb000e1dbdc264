import { agentOf } from "./agent-of.js";
import { isGuardRun } from "./guard-run.js";
import { shownResource } from "./shown-resource.js";

/**
 * A circle of waits as whoever closed it reads it: `you wait for "a", where bob is before you; bob waits for "b", where you
 * are before it`. A step without a resource waits for a message or a decision; one for the run of an edit hook, for the
 * end of a turn.
 */
export function circleInWords(steps: readonly string[], asker: string): string {
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
        : `${who} for ${shownResource(resource)}, where ${before(isLast ? to : name(to), isLast, whom)}`,
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
