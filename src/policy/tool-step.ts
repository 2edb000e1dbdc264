import type { ClientAction } from "./client-actions.js";

/** One thing that a tool of a client is about to do, in the words of rules. */
export interface ToolStep {
  readonly action: ClientAction;
  /** Empty where it cannot be told. */
  readonly resource: string;
}
