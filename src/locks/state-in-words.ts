import type { Holder, Mode } from "./contract.js";

/** The state of a request as callers read it. */
export function stateInWords(state: string): Holder["state"] {
  return state === "cooling" ? "resting" : state === "offered" ? "offered" : "held";
}

/** The mode of a request as callers read it. */
export function modeInWords(mode: string): Mode {
  return mode === "s" ? "shared" : "exclusive";
}
