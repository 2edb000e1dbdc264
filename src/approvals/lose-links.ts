import { approvalKeyList, approvalKeys, loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import { findRequest } from "./get-approval.js";
import { byLink } from "./link-approval.js";
import { isEntitled } from "./regard-request.js";

const loseScript = loadScript(import.meta.url, "lose-link.lua");

/**
 * Voids links for good: they stay void when those they were made for get the right back.
 *
 * @param links as `keepApprovals` or a link itself names them
 */
export async function loseLinks(
  { deps, limits }: ApprovalContext,
  namespace: string,
  links: readonly string[],
): Promise<void> {
  if (links.length === 0) return;
  const forgottenAt = Math.ceil(deps.store.now() + limits.linkMs);
  await deps.store.run(loseScript, approvalKeyList(approvalKeys(namespace)), [forgottenAt, ...links]);
}

/** Voids those of the open links whose approver may not decide any more. @param open link, and "request|agent" it is for, in turn */
export async function loseThoseWithoutRight(
  context: ApprovalContext,
  namespace: string,
  open: readonly string[],
): Promise<void> {
  const lost: string[] = [];
  for (let n = 0; n + 1 < open.length; n += 2) {
    const [id, agent] = open[n + 1]!.split("|") as [string, string];
    const found = await findRequest(context, namespace, id);
    if (found?.request.state !== "pending") continue;
    if (!(await isEntitled(context, namespace, found.request, byLink(agent)))) lost.push(open[n]!);
  }
  await loseLinks(context, namespace, lost);
}

/** The same for the links of one agent, which was just stopped. */
export async function loseLinksOf(context: ApprovalContext, namespace: string, agent: string): Promise<void> {
  const kept = await context.deps.store.hash(approvalKeys(namespace).links);
  const own = [...kept].filter(([link, of]) => link.startsWith("open:") && of.endsWith(`|${agent}`));
  await loseThoseWithoutRight(
    context,
    namespace,
    own.flatMap(([link, of]) => [link.slice("open:".length), of]),
  );
}
