import { z } from "zod";
import type { LimitState } from "../policy/index.js";

/** Where a limit stands, for a client that opted in to structured answers. */
export const limitOutput = z.object({
  id: z.string(),
  of: z.enum(["cost", "calls"]),
  subject: z.string(),
  used: z.number(),
  held: z.number(),
  most: z.number(),
  left: z.number(),
  window_ends_at: z.string(),
});

/** What is left of a limit, in a line for a model. */
export function budgetLine({ id, of, used, held, most, left, window_ends_at }: LimitState): string {
  // What is left and the most say the rest, but for what was charged beyond that.
  const taken = held > 0 ? ` (${used} used, ${held} held)` : used > most ? ` (${used} used)` : "";
  return `${id}: ${left} of ${most}${of === "calls" ? " calls" : ""} left until ${window_ends_at}${taken}`;
}
