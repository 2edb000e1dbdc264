import { z } from "zod";
import { type Settled, SettleReservation } from "../../policy/index.js";
import { budgetLine, limitOutput } from "../budget-line.js";
import { defineTool } from "../define-tool.js";

export const settleReservation = defineTool({
  name: "settle_reservation",
  title: "Settle a reservation",
  description: "Tell what a reserved step did cost, less or more; the rest is free again. Safe to repeat.",
  input: SettleReservation,
  output: z.object({
    reservation_id: z.string(),
    reserved: z.number(),
    cost: z.number(),
    late: z.boolean(),
    limits: z.array(limitOutput),
    replayed: z.boolean(),
  }),
  needs: ["budget.settle"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, policy }) => policy.settleReservation(caller, input),
  say: tell,
});

function tell({ reserved, cost, late, limits, replayed }: Settled): string {
  const more = Math.round((cost - reserved) * 1e6) / 1e6;
  return [
    `${replayed ? "replayed: " : ""}settled with ${cost} of ${reserved} reserved`,
    more > 0 ? `${more} more than was reserved, charged all the same: reserve more next time` : "",
    late ? "the reservation was over already, charged all the same: settle sooner, or reserve later" : "",
    ...limits.map(budgetLine),
  ]
    .filter(Boolean)
    .join("\n");
}
