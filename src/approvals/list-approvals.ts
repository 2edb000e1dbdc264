import { type Caller, isOperator } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import type { ApprovalHead } from "./contract.js";
import { mayDecide, maySee } from "./may-decide.js";
import { isEntitled, regard } from "./regard-request.js";
import { type QuestionHead, shownHead } from "./shown-approval.js";
import { parseRequest, type StoredRequest } from "./stored-request.js";
import { parseVotes, type Vote } from "./vote.js";

const listScript = loadScript(import.meta.url, "list-approvals.lua");

/**
 * Requests without what they ask for, of those that the caller may see: those that wait, the first to expire first, or
 * all that are kept, the newest first.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function listApprovals(
  context: ApprovalContext,
  caller: Caller,
  { all = false, limit = 100 }: { readonly all?: boolean; readonly limit?: number } = {},
): Promise<readonly ApprovalHead[]> {
  const { deps, limits } = context;
  const { principal } = caller;
  const { row } = await deps.admit(caller, "approval.read", "*");
  const { roles } = await deps.rightsOf(caller);
  const seesAll = isOperator(principal);
  const found = await look(context, principal.namespace, all, seesAll ? limit : limits.pending, row);
  const now = deps.store.now();
  const seen = found.filter(({ request }) => seesAll || maySee(request, principal, roles, now));
  return shownHeads(context, principal.namespace, seen.slice(0, limit));
}

/** Those the caller may decide, the first to expire first. @throws {MailboxError} `access.denied` */
export async function listForApprover(
  context: ApprovalContext,
  caller: Caller,
): Promise<readonly ApprovalHead[]> {
  const { row } = await context.deps.admit(caller, "approval.decide", "*");
  const found = await waitingFor(context, caller, row);
  return shownHeads(context, caller.principal.namespace, found);
}

/**
 * How many requests wait for a decision of this caller and have none of it that counts; 0 for whoever decides nothing. A
 * vote that was proved by what was revoked since does not count, and has to be cast again.
 */
export async function countWaiting(context: ApprovalContext, caller: Caller): Promise<number> {
  const may = await context.deps.rightsOf(caller);
  if (!may("approval.decide", "*")) return 0;
  const waiting = await waitingFor(context, caller, "");
  const { namespace, agent } = caller.principal;
  const have = await Promise.all(
    waiting.map(async ({ request, votes }) => {
      const own = votes.find(({ name }) => name === agent);
      return own !== undefined && isEntitled(context, namespace, request, own);
    }),
  );
  return have.filter((counts) => !counts).length;
}

function shownHeads(
  context: ApprovalContext,
  namespace: string,
  found: readonly Found[],
): Promise<readonly ApprovalHead[]> {
  return Promise.all(
    found.map(async (one) =>
      shownHead(one.id, one.request, one.head, one.votes, await regard(context, namespace, one)),
    ),
  );
}

async function waitingFor(context: ApprovalContext, caller: Caller, row: string): Promise<readonly Found[]> {
  const { roles } = await context.deps.rightsOf(caller);
  const waiting = await look(context, caller.principal.namespace, false, context.limits.pending, row);
  const now = context.deps.store.now();
  return waiting.filter(({ request }) => mayDecide(request, caller.principal, roles, now) === "may");
}

interface Found {
  readonly id: string;
  readonly request: StoredRequest;
  readonly head: QuestionHead;
  readonly votes: readonly Vote[];
}

async function look(
  context: ApprovalContext,
  namespace: string,
  all: boolean,
  limit: number,
  row: string,
): Promise<readonly Found[]> {
  const [, list] = await context.run(namespace, listScript, [all ? "all" : "pending", limit, row]);
  const words = list as readonly string[];
  const found: Found[] = [];
  for (let n = 0; n < words.length; n += 4)
    found.push({
      id: words[n]!,
      request: parseRequest(words[n + 1]!),
      head: JSON.parse(words[n + 2]!) as QuestionHead,
      votes: parseVotes(words[n + 3]!),
    });
  return all ? found : found.sort((a, b) => a.request.expiresAt - b.request.expiresAt);
}
