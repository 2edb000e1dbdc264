import { z } from "zod";
import { MyStatus, type Status } from "../../agents/index.js";
import { shownResources } from "../../locks/index.js";
import { budgetLine, limitOutput } from "../budget-line.js";
import { defineTool } from "../define-tool.js";

const ofLock = {
  mode: z.enum(["exclusive", "shared"]),
  own: z.enum(["this run", "another run"]),
  resources: z.array(z.string()),
};

export const myStatus = defineTool({
  name: "my_status",
  title: "Your status",
  description: "Your name, mail counts, locks, subscriptions and store; also sets what others see of you.",
  input: MyStatus,
  output: z.object({
    name: z.string(),
    namespace: z.string(),
    verified: z.boolean(),
    run: z.string(),
    other_runs: z.number(),
    rights: z.array(z.string()),
    unread: z.number(),
    urgent: z.number(),
    open: z.number(),
    overdue: z.array(z.object({ id: z.string(), from: z.string(), since: z.string() })),
    dead_letters: z.number(),
    subscriptions: z.array(z.string()),
    budgets: z.array(limitOutput),
    locks: z
      .object({
        held: z.array(z.object({ lock_id: z.string(), token: z.number(), until: z.string(), ...ofLock })),
        waiting: z.array(
          z.object({
            ticket: z.string(),
            state: z.enum(["waiting", "your turn", "passed over"]),
            place: z.number().exactOptional(),
            until: z.string().exactOptional(),
            ...ofLock,
          }),
        ),
        more: z.number(),
      })
      .exactOptional(),
    approvals: z.number().exactOptional(),
    store: z.string(),
    tier: z.string(),
  }),
  needs: ["agents.describe"],
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, agents }) => agents.myStatus(caller, input),
  say: tell,
  tellsNews: true,
});

function tell(status: Status): string {
  return [
    `you are ${status.name}${status.verified ? "" : " (unverified)"} in ${status.namespace}, run ${status.run}`,
    status.other_runs
      ? `${status.other_runs === 1 ? `another run of ${status.name} shares` : `${status.other_runs} other runs of ${status.name} share`} this mailbox; each message goes to one of them`
      : "",
    `mail: ${status.unread} unread, ${status.urgent} urgent, ${status.open} open`,
    ...status.overdue.slice(0, 10).map((one) => `overdue: ${one.id} from ${one.from} since ${one.since}`),
    status.dead_letters
      ? `${status.dead_letters} dead ${status.dead_letters === 1 ? "letter" : "letters"}`
      : "",
    status.subscriptions.length ? `following: ${listed(status.subscriptions)}` : "",
    ...status.budgets.slice(0, 10).map((one) => `budget ${budgetLine(one)}`),
    ...(status.locks ? lockLines(status.locks) : []),
    status.approvals ? `approvals that wait for you: ${status.approvals}; see decide_approval` : "",
    status.rights.length ? `role: ${status.rights.join(", ")}` : "",
    `store: ${status.store}, durability ${status.tier}`,
  ]
    .filter(Boolean)
    .join("\n");
}

const mostLocks = 10;

function lockLines({ held, waiting, more }: NonNullable<Status["locks"]>): readonly string[] {
  const lines = [
    ...held.map(
      (one) => `you hold ${named(one)} until ${one.until}: lock_id ${one.lock_id}, token ${one.token}`,
    ),
    ...waiting.map((one) => {
      if (one.state === "your turn")
        return `your turn for ${named(one)} until ${one.until}: ticket ${one.ticket}`;
      const passed = one.state === "passed over" ? ", your turn has passed" : "";
      return `you wait for ${named(one)}: place ${one.place}, ticket ${one.ticket}${passed}`;
    }),
  ];
  const left = lines.length - mostLocks + more;
  return [...lines.slice(0, mostLocks), left > 0 ? `and ${left} more locks; see list_locks` : ""];
}

function named({ resources, mode, own }: NonNullable<Status["locks"]>["held" | "waiting"][number]): string {
  return `${shownResources(resources)}${mode === "shared" ? ", shared," : ""}${own === "another run" ? " in another run" : ""}`;
}

function listed(patterns: readonly string[]): string {
  const more = patterns.length - 30;
  return more > 0 ? `${patterns.slice(0, 30).join(", ")} and ${more} more` : patterns.join(", ");
}
