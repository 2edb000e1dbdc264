import type { ApprovalContext } from "./context.js";

/** The agents that approvers are: those named, and whoever has a role that is named. */
export async function agentsIn(
  context: ApprovalContext,
  namespace: string,
  approvers: readonly string[],
): Promise<ReadonlySet<string>> {
  const names = await Promise.all(
    approvers.map((one) =>
      one.startsWith("role:") ? context.deps.holdersOf(namespace, one.slice("role:".length)) : [one],
    ),
  );
  return new Set(names.flat());
}
