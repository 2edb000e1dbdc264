import { loadScript } from "../redis/index.js";
import type { ApprovalContext } from "./context.js";
import { loseThoseWithoutRight } from "./lose-links.js";
import { tellApprovers } from "./tell-approvers.js";

const keepScript = loadScript(import.meta.url, "keep-approvals.lua");

const mostAtOnce = 100;

/**
 * Does what time alone has made due among the requests of a namespace: ends those nobody decided, tells those they
 * escalate to, voids links of those who lost the right, forgets old ones. Called by the one process that sweeps; whoever looks at a request does the same for it.
 */
export async function keepApprovals(context: ApprovalContext, namespace: string): Promise<void> {
  const [, ids, open] = await context.run(namespace, keepScript, [mostAtOnce]);
  for (const id of ids as readonly string[]) await tellApprovers(context, namespace, id);
  await loseThoseWithoutRight(context, namespace, open as readonly string[]);
}
