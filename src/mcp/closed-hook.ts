import { denial } from "../policy/index.js";

/** Where clients ask before they call a tool of their own. */
export const hookPath = "/policy/hook";

/**
 * Whether a request is of a hook that is to refuse what cannot be decided (`?closed=1`): then no answer to it may be an
 * error, which clients pass over, since much of what leads to one is the model's to choose.
 *
 * @param address the path of the request with its query, or the whole address
 */
export function isClosedHook(address: string): boolean {
  const [path = "", query = ""] = address.replace(/^https?:\/\/[^/?#]*/, "").split(/[?#]/);
  return path === hookPath && isOn(new URLSearchParams(query).get("closed"));
}

export function isOn(switched: string | null): boolean {
  return switched === "1" || switched === "true";
}

/** What such a hook answers in place of an error. */
export function closedAnswer(reason: string): object {
  return denial(`nothing could be decided, and this client was told to refuse then: ${reason}`);
}
