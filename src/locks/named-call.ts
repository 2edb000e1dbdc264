import { hash } from "node:crypto";
import type { Caller } from "../identity/index.js";

/** A call that the caller named, so that it is done once. Empty words when it named none. */
export interface NamedCall {
  readonly operation: string;
  readonly digest: string;
}

export const unnamed: NamedCall = { operation: "", digest: "" };

/** A name holds for (agent, tool, content): the same name with other content is refused by the script. */
export function namedCall(
  caller: Caller,
  tool: string,
  key: string | undefined,
  content: readonly (string | number | undefined)[],
): NamedCall {
  if (key === undefined) return unnamed;
  return {
    operation: `k|${short(`${caller.principal.agent}\n${tool}\n${key}`)}`,
    digest: short(JSON.stringify(content)),
  };
}

function short(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 22);
}
