/** The agent of a run: a run is named agent/id. */
export function agentOf(run: string): string {
  return run.slice(0, run.indexOf("/"));
}
