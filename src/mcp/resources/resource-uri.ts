import { parseStateKey, parseTopic } from "../../addresses/index.js";
import type { WatchTarget } from "../rooms.js";

/** What a `mailbox://` URI names. */
export type ResourceName =
  | { readonly kind: "inbox" | "topics" | "locks" | "agents" }
  | { readonly kind: "topic"; readonly name: string; readonly before?: string; readonly limit?: number }
  | { readonly kind: "state"; readonly key: string }
  | { readonly kind: "thread" | "message"; readonly id: string };

const id = /^[A-Za-z0-9._~-]{1,100}$/;

/** Undefined for anything that is not one of our URIs. */
export function parseResource(uri: string): ResourceName | undefined {
  if (uri.length > 600) return undefined;
  const [path = "", query = "", ...more] = uri.split("?");
  if (more.length || !path.startsWith("mailbox://")) return undefined;
  const [kind = "", name, ...deeper] = path.slice("mailbox://".length).replace(/\/$/, "").split("/");
  if (kind === "state" && name !== undefined && query === "") return stateKey([name, ...deeper].join("/"));
  if (deeper.length) return undefined;
  if (name === undefined) {
    if (kind === "inbox" || kind === "topics" || kind === "locks" || kind === "agents") return { kind };
    return undefined;
  }
  const decoded = decode(name);
  if (decoded === undefined) return undefined;
  if (kind === "topics") return topic(decoded, query);
  if ((kind === "threads" || kind === "messages") && id.test(decoded))
    return { kind: kind === "threads" ? "thread" : "message", id: decoded };
  return undefined;
}

function topic(given: string, query: string): ResourceName | undefined {
  const asked = new URLSearchParams(query);
  const before = asked.get("before");
  const limit = asked.get("limit");
  if ((before !== null && !id.test(before)) || (limit !== null && !/^[1-9]\d{0,2}$/.test(limit)))
    return undefined;
  try {
    return {
      kind: "topic",
      name: parseTopic(given),
      ...(before !== null && { before }),
      ...(limit !== null && { limit: Math.min(Number(limit), 50) }),
    };
  } catch {
    return undefined;
  }
}

/** The slashes of a key may be written as they are. */
function stateKey(given: string): ResourceName | undefined {
  const key = decode(given);
  if (key === undefined) return undefined;
  try {
    return { kind: "state", key: parseStateKey(key) };
  } catch {
    return undefined;
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What changes when the resource does; undefined for what cannot be watched. */
export function watchTarget(uri: string): WatchTarget | undefined {
  const name = parseResource(uri);
  if (!name) return undefined;
  if (name.kind === "topic") return { kind: "topic", name: name.name };
  if (name.kind === "state") return { kind: "state", key: name.key };
  return name.kind === "thread" || name.kind === "message" ? undefined : { kind: name.kind };
}
