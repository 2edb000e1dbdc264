import { visible } from "../addresses/index.js";
import { type Admission, rowAbout, rowParts } from "../identity/index.js";

const mostShown = 300;

/** What a script makes the row of a decision about a step of, by what comes out; empty where the call records itself. */
export interface DecisionRow {
  readonly before: string;
  /** By which right the caller could ask, where the step is allowed; what it was refused for stands in its place else. */
  readonly right: string;
}

export const noRow: DecisionRow = { before: "", right: "" };

/** In place of the row that they may ask, by whoever may. */
export function decisionRow({ row }: Admission, step: string): DecisionRow {
  const { before, because } = rowParts(rowAbout(row, step));
  return { before, right: `${because}; ` };
}

/**
 * A step as the audit names it. What a caller calls it may be anything, so it is made visible and cut. A command is no
 * name of anything, and holds what nobody would write down: what it does is named by its steps.
 */
export function checkedStep(action: string, given: string): string {
  const resource = action === "shell.run" ? "" : given;
  return `check:${visible(resource === "" ? action : `${action} ${resource}`).slice(0, mostShown)}`;
}
