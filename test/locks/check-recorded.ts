import type { Entry } from "./check-history.js";
import type { Told } from "./lock-crowd.js";

/** What agents were answered, by which a history is measured. */
interface Done {
  readonly told: readonly Told[];
  /** Leases and places of which the release was answered. */
  readonly released: readonly string[];
}

/** The scripts that no crowd does without. */
const scripts = ["acquire-lock", "release-lock", "renew-locks", "beat-locks"];

/**
 * What was done and is not in the history, one line each: a checker that was shown nothing finds nothing wrong. Every grant
 * and every release that was answered is there, and something of each process.
 *
 * @param processes the agents of each process
 */
export function checkRecorded(
  history: readonly Entry[],
  { told, released }: Done,
  processes: readonly (readonly string[])[],
): string[] {
  const granted = new Map<number, string>();
  const [agents, ended, seen] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const { what, script, request } of history) {
    seen.add(script);
    if (!request) continue;
    const [agent] = request.run.split("/");
    agents.add(agent!);
    if (what === "remove") ended.add(request.id);
    else if (request.state === "held") granted.set(request.token, `${request.id} of ${agent}`);
  }
  const missing = (what: string): string => `the history does not have ${what}`;
  return [
    ...told
      .filter(({ id, agent, token }) => granted.get(token) !== `${id} of ${agent}`)
      .map(({ id, agent, token }) => missing(`the grant of ${id} to ${agent} with ${token}`)),
    ...released.filter((id) => !ended.has(id)).map((id) => missing(`the release of ${id}`)),
    ...processes
      .filter((own) => !own.some((agent) => agents.has(agent)))
      .map((own) => missing(`anything of the process of ${own.join(", ")}`)),
    ...scripts.filter((script) => !seen.has(script)).map((script) => missing(`one run of ${script}`)),
    ...(told.length === 0 ? ["nothing was granted"] : []),
    ...(history.length < told.length + released.length
      ? [missing("as many steps as there were grants and releases")]
      : []),
  ];
}
