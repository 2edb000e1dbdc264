import type { Resource } from "../addresses/index.js";
import { loadScript } from "../redis/index.js";
import type { LockContext } from "./context.js";

const hadSinceScript = loadScript(import.meta.url, "had-since.lua");

/** What an agent lost and has not taken again, and another one was granted since. ISO times. */
export interface HadSince {
  readonly lostAt: string;
  readonly by: string;
  readonly since: string;
}

/** Of each resource, in their order, who had it since an agent lost it; undefined where nobody had, or that is a day ago. */
export async function hadSince(
  context: LockContext,
  namespace: string,
  agent: string,
  resources: readonly Resource[],
): Promise<readonly (HadSince | undefined)[]> {
  const [, flat] = await context.run(namespace, hadSinceScript, [agent, ...resources]);
  const words = flat as readonly string[];
  return resources.map((_, n) => {
    const [lostAt, by, since] = words.slice(n * 3, n * 3 + 3);
    if (!lostAt) return undefined;
    return { lostAt: isoOf(lostAt), by: by!, since: isoOf(since!) };
  });
}

function isoOf(ms: string): string {
  return new Date(Number(ms)).toISOString();
}
