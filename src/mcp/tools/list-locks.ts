import { z } from "zod";
import { ListLocks, type LockList, shownResources } from "../../locks/index.js";
import { defineTool, type Telling } from "../define-tool.js";

const mode = z.enum(["exclusive", "shared"]);
const own = z.enum(["this run", "another run"]).exactOptional();

export const listLocks = defineTool({
  name: "list_locks",
  title: "Who holds what",
  description: "Who holds and who waits for what.",
  input: ListLocks,
  output: z.object({
    holders: z.array(
      z.object({
        lock_id: z.string(),
        agent: z.string(),
        mode,
        state: z.enum(["held", "offered", "resting"]),
        own,
        resources: z.array(z.string()),
        until: z.string(),
      }),
    ),
    waiters: z.array(
      z.object({
        ticket: z.string(),
        agent: z.string(),
        mode,
        priority: z.number(),
        since: z.string(),
        passed_over: z.boolean(),
        own,
        resources: z.array(z.string()),
      }),
    ),
    more: z.number(),
  }),
  needs: ["lock.read"],
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, locks }) => locks.listLocks(caller, input),
  say: tell,
});

/** More than fit a reply are counted. */
const mostLines = 50;

function tell({ holders, waiters, more }: LockList, { room }: Telling<ListLocks>): string {
  const lines = [
    ...holders.map(
      (one) =>
        `${one.state === "held" ? "held by" : one.state === "offered" ? "offered to" : "resting after"} ${one.agent}${mine(one)} until ${one.until}${shared(one)}: ${shownResources(one.resources)} (${one.lock_id})`,
    ),
    ...waiters.map(
      (one) =>
        `${one.passed_over ? "passed over" : "waits"}: ${one.agent}${mine(one)}, priority ${one.priority}, since ${one.since}${shared(one)}: ${shownResources(one.resources)} (${one.ticket})`,
    ),
  ];
  if (lines.length === 0) return "nothing is locked";
  const shown = lines.slice(0, fittingLines(lines, room - 100));
  const left = lines.length - shown.length + more;
  return [...shown, left > 0 ? `and ${left} more; ask about one resource` : ""].filter(Boolean).join("\n");
}

/** How many of the lines a reply has room for. */
function fittingLines(lines: readonly string[], room: number): number {
  let left = room;
  const tooMany = lines.findIndex((line, n) => {
    left -= line.length + 1;
    return n >= mostLines || left < 0;
  });
  return tooMany < 0 ? lines.length : tooMany;
}

function mine({ own }: Pick<LockList["holders"][number], "own">): string {
  return own === undefined ? "" : own === "this run" ? " (you)" : " (another run of yours)";
}

function shared(one: { readonly mode: "exclusive" | "shared" }): string {
  return one.mode === "shared" ? ", shared" : "";
}
