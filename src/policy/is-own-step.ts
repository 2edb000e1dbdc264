import { canonicalAction } from "./name-pattern.js";
import { ownSteps } from "./own-steps.js";

/** Whether it is asked about by one of our own tools when it is called. */
export function isOwnStep(action: string): boolean {
  return Object.hasOwn(ownSteps, canonicalAction(action));
}
