import { shownResource } from "./shown-resource.js";

/** A circle of waits as whoever closed it reads it: `you wait for "a", which bob has; bob waits for "b", which you have`. */
export function circleInWords(steps: readonly string[], asker: string): string {
  const words: string[] = [];
  for (let n = 0; n + 2 < steps.length; n += 3) {
    const [from, resource, to] = [steps[n]!, steps[n + 1]!, steps[n + 2]!];
    const isFirst = n === 0;
    const isLast = n + 3 >= steps.length;
    words.push(
      `${isFirst ? "you wait" : `${from} waits`} for ${shownResource(resource)}, where ${isLast ? "you are" : `${to} is`} before ${isFirst ? "you" : "it"}`,
    );
  }
  return words.join("; ").replace(/\.$/, "") || `${asker} waits for itself`;
}
