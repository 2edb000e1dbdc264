import type { Caller } from "../identity/index.js";

/** Whether the run that calls has something of its agent, or another one. */
export function whoseRun(run: string, caller: Caller): "this run" | "another run" {
  return run === caller.run.id ? "this run" : "another run";
}
