import { readFileSync } from "node:fs";
import { visible } from "../addresses/index.js";
import {
  type Approval,
  type ApprovalHead,
  approvalLines,
  approvalWarnings,
  type Decided,
  type Decision,
  decideApproval,
  getApproval,
  linkApproval,
  listApprovals,
  voteLines,
} from "../approvals/index.js";
import type { House } from "../compose.js";
import { onOneLine, printJson, printLine, printTable } from "./print.js";
import { fromFolder } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { lookInto, operator, type Switches, withHouse } from "./with-house.js";

/** Lists what waits for a decision; with `all` everything that is kept. */
export async function listWaiting(switches: Switches & { readonly all?: boolean }): Promise<void> {
  const nothing: readonly ApprovalHead[] = [];
  const { all = false } = switches;
  const found = await lookInto(switches, nothing, (house, config) =>
    listApprovals(house.approvals, operator(config), { all }),
  );
  if (switches.json) return printJson({ approvals: found });
  if (found.length === 0) return printLine(all ? "No approvals." : "Nothing waits for a decision.");
  printTable(found, [
    { head: "ID", cell: ({ id }) => id },
    { head: "STATE", cell: ({ state }) => state },
    {
      head: "WHO",
      cell: ({ agent, verified, stopped }) =>
        `${agent}${verified ? "" : " (unverified)"}${stopped ? " (stopped)" : ""}`,
    },
    { head: "ACTION", cell: ({ action }) => action },
    { head: "RESOURCE", cell: ({ resource }) => resource },
    { head: "RULES", cell: ({ rules }) => rules.join(", ") },
    { head: "EXPIRES", cell: ({ expires_at, otherwise }) => `${expires_at}, then ${otherwise}` },
    { head: "VOTES", cell: ({ agreeing, quorum }) => `${agreeing} of ${quorum}` },
  ]);
}

/** Shows one request with everything its approver needs. */
export async function showApproval(id: string, switches: Switches): Promise<void> {
  const approval = await asked(switches, id, (house) =>
    getApproval(house.approvals, operator(house.config), id),
  );
  if (switches.json) return printJson(approval);
  printApproval(approval);
}

export async function approve(
  id: string,
  switches: Switches & { readonly edit?: string; readonly comment?: string },
): Promise<void> {
  const { edit, comment } = switches;
  const edited = edit === undefined ? undefined : argumentsIn(edit);
  await decide(switches, {
    approval_id: id,
    decision: edited ? "edit" : "approve",
    comment,
    arguments: edited,
  });
}

export async function reject(id: string, switches: Switches & { readonly comment?: string }): Promise<void> {
  await decide(switches, { approval_id: id, decision: "reject", comment: switches.comment });
}

export async function answer(id: string, text: string, switches: Switches): Promise<void> {
  await decide(switches, { approval_id: id, decision: "answer", comment: text });
}

/** Makes a link for an approver; the address is that of the server as its settings name it. */
export async function link(id: string, switches: Switches & { readonly for: string }): Promise<void> {
  const { config, made } = await asked(switches, id, async (house) => ({
    config: house.config,
    made: await linkApproval(house.approvals, operator(house.config), id, switches.for.trim().toLowerCase()),
  }));
  const { publicUrl, host, port } = config;
  const base = publicUrl ?? `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const url = `${base}/a/${made.token}`;
  if (switches.json) return printJson({ url, ...made });
  printLine(url);
  printLine(
    `Decides ${id} once, in the name of ${made.agent}, until ${made.expires_at}. Show it to nobody else.`,
  );
  printLine("It is served by llm-mailbox serve.");
}

async function decide(switches: Switches, decision: Decision): Promise<void> {
  const decided = await asked(switches, decision.approval_id, (house) =>
    decideApproval(house.approvals, operator(house.config), decision, "command"),
  );
  if (switches.json) return printJson(decided);
  printLine(inWords(decided));
}

function inWords({ approval, agreeing, repeated }: Decided): string {
  const before = repeated ? " before" : "";
  if (approval.state === "pending")
    return `Your vote on ${approval.id} was kept${before}; ${agreeing} of ${approval.quorum} agree so far.`;
  return `${approval.id} was ${approval.state}${before}.`;
}

/** As the operator, whom no rule forbids it; what is refused leaves its row all the same. */
function asked<T>(switches: Switches, id: string, work: (house: House) => Promise<T>): Promise<T> {
  return withHouse(switches, (house, config) =>
    house.recorder.guard(
      operator(config),
      () => ({
        action: "approval.decide",
        resource: /^ap-[0-9a-z]{1,20}$/.test(id) ? `approval:${id}` : "?",
      }),
      () => work(house),
    ),
  );
}

function argumentsIn(file: string): Record<string, unknown> {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(fromFolder(file), "utf8"));
  } catch (error) {
    throw new UsageError(`--edit ${onOneLine(file, 200)}: ${onOneLine((error as Error).message, 200)}`);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read))
    throw new UsageError(`--edit ${onOneLine(file, 200)} holds no JSON object`);
  return read as Record<string, unknown>;
}

function printApproval(approval: Approval): void {
  printLine(`${approval.id} is ${approval.state}${approval.used_at ? `, used ${approval.used_at}` : ""}.`);
  for (const line of approvalWarnings(approval)) printLine(line);
  // The lines are ours, and what the requester wrote stands behind a bar in them.
  for (const line of approvalLines(approval)) printLine(visible(line, "\t"));
  for (const vote of approval.votes) {
    printLine();
    for (const line of voteLines(vote)) printLine(visible(line, "\t"));
  }
  if (approval.edited_arguments) {
    printLine();
    const { usable_until } = approval;
    printLine(`approved with these arguments${usable_until ? `, to be used until ${usable_until}` : ""}:`);
    for (const line of JSON.stringify(approval.edited_arguments, null, 1).split("\n"))
      printLine(`  │ ${visible(line, "\t")}`);
  }
}
