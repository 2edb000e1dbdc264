import type { Caller } from "../identity/index.js";
import type { PolicyContext } from "./context.js";
import type { Question } from "./question.js";

/**
 * The question that a caller's step is. Who asks is told by the records of the namespace, whatever the context says.
 */
export async function askedBy(
  { deps }: PolicyContext,
  caller: Caller,
  action: string,
  resource: string,
  context: Readonly<Record<string, unknown>>,
): Promise<Omit<Question, "counts">> {
  const { agent: name, verified } = caller.principal;
  const [facts, rights, reads] = await Promise.all([
    deps.factsOf(caller),
    deps.rightsOf(caller),
    deps.readsOf(caller),
  ]);
  return {
    agent: { name, verified, roles: rights.roles, role: facts.role, team: facts.team, labels: facts.labels },
    action,
    resource,
    context,
    reads,
    nowMs: deps.store.now(),
  };
}
