import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import type { PolicyContext } from "./context.js";
import type { PolicyLimits } from "./limits.js";
import type { Question } from "./question.js";

/**
 * The question that a caller's step is. Who asks is told by the records of the namespace, whatever the context says.
 *
 * @throws {MailboxError} `input.invalid` for a context that is too large or nested too deep
 */
export async function askedBy(
  { deps, limits }: PolicyContext,
  caller: Caller,
  action: string,
  resource: string,
  context: Readonly<Record<string, unknown>>,
): Promise<Omit<Question, "counts">> {
  checkSize(context, limits);
  const { agent: name, verified } = caller.principal;
  const [facts, rights, reads] = await Promise.all([
    deps.factsOf(caller),
    deps.rightsOf(caller),
    deps.readsOf(caller),
  ]);
  return {
    agent: { ...facts, name, verified, roles: rights.roles },
    action,
    resource,
    context,
    reads,
    nowMs: deps.store.now(),
  };
}

function checkSize(
  context: Readonly<Record<string, unknown>>,
  { contextLevels, contextBytes }: PolicyLimits,
): void {
  if (isDeeperThan(context, contextLevels))
    refuse("input.invalid", { problem: `context is nested more than ${contextLevels} deep` });
  if (Buffer.byteLength(JSON.stringify(context)) > contextBytes)
    refuse("input.invalid", {
      problem: `context has more than ${contextBytes} bytes; say what the rules need`,
    });
}

/** Never goes deeper than that itself. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
