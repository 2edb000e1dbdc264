import type { Holder } from "./contract.js";

/** The state of a request as callers read it. */
export function stateInWords(state: string): Holder["state"] {
  return state === "cooling" ? "resting" : state === "offered" ? "offered" : "held";
}
