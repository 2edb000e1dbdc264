import { shownResource } from "./shown-resource.js";

/**
 * A circle of waits as whoever closed it reads it: `you wait for "a", where bob is before you; bob waits for "b", where you
 * are before it`. A step without a resource waits for a message or a decision.
 */
export function circleInWords(steps: readonly string[], asker: string): string {
  const words: string[] = [];
  for (let n = 0; n + 2 < steps.length; n += 3) {
    const [from, resource, to] = [steps[n]!, steps[n + 1]!, steps[n + 2]!];
    const isFirst = n === 0;
    const isLast = n + 3 >= steps.length;
    const who = isFirst ? "you wait" : `${from} waits`;
    words.push(
      resource === ""
        ? `${who} for a message or a decision of ${isLast && !isFirst ? "yours" : to}`
        : `${who} for ${shownResource(resource)}, where ${isLast ? "you are" : `${to} is`} before ${isFirst ? "you" : "it"}`,
    );
  }
  return words.join("; ").replace(/\.$/, "") || `${asker} waits for itself`;
}
