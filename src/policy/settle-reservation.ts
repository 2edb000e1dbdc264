import { refuse } from "../errors/index.js";
import { type Caller, isOperator, parseAuditRow, rowOf } from "../identity/index.js";
import { digest, loadScript } from "../redis/index.js";
import { limitState } from "./budget-field.js";
import type { PolicyContext } from "./context.js";
import type { Settled, SettleReservation } from "./contract.js";
import { exactMillionths, fromMillionths, mostSummed } from "./millionths.js";
import { isReservationId } from "./reservation-id.js";

const settleScript = loadScript(import.meta.url, "settle-reservation.lua");

/**
 * Charges what a reserved step did cost, less or more than was held, and gives the rest back. Once: told again with the
 * same cost it is done already, with another it is refused. After its end it is charged all the same.
 *
 * @throws {MailboxError} `access.denied`, `budget.unknown_reservation`, also for somebody else's,
 *   `budget.already_settled`, `budget.sum_too_large`, `policy.idempotency_conflict`, `input.invalid`
 */
export async function settleReservation(
  context: PolicyContext,
  caller: Caller,
  { reservation_id: given, cost, idempotency_key: key }: SettleReservation,
): Promise<Settled> {
  const { deps, limits } = context;
  const admission = await deps.admit(caller, "budget.settle", "*");
  const millionths = exactMillionths(cost, "cost");
  const { namespace, agent } = caller.principal;
  const id = isReservationId(given) ? given : "with that id";
  const attempt = deps.store.attempt();
  const isKeyed = key !== undefined;
  const [word, answer] = await context.run(namespace, settleScript, [
    isKeyed ? `k|${agent}|${digest(["settle_reservation", key])}` : `a|${attempt}`,
    isKeyed ? digest([given, cost]) : "",
    attempt,
    isKeyed ? limits.idempotencyMs : limits.attemptMs,
    given,
    isOperator(caller.principal) ? "" : agent,
    millionths,
    rowOf(caller, {
      action: "budget.settle",
      resource: `reservation:${id}`,
      outcome: "allow",
      because: `${parseAuditRow(admission.row)?.because ?? ""}; cost ${cost}`,
    }),
  ]);
  switch (word) {
    case "SETTLED":
    case "REPLAYED": {
      const [head, ...lines] = String(answer).split("\n");
      const [reserved, charged, late] = head!.split(" ");
      return {
        reservation_id: id,
        reserved: fromMillionths(Number(reserved)),
        cost: fromMillionths(Number(charged)),
        late: late === "1",
        limits: lines.map((line) => {
          const [field, used, held, most, endsAt] = line.split(" ");
          return limitState(field!, [Number(used), Number(held), Number(most), Number(endsAt)]);
        }),
        replayed: word === "REPLAYED",
      };
    }
    case "UNKNOWN":
      return refuse("budget.unknown_reservation", { reservation_id: id });
    case "OTHERWISE":
      return refuse("budget.already_settled", { reservation_id: id, cost: fromMillionths(Number(answer)) });
    case "FULL":
      return refuse("budget.sum_too_large", { agent, most: mostSummed });
    case "REUSED":
      return refuse("policy.idempotency_conflict");
    default:
      throw new Error(`a settlement was answered with ${word}`);
  }
}
