import type { GuardFiles, GuardFindings, GuardStop } from "../locks/index.js";
import { guardPath } from "./guard-path.js";
import { refusedWith, unreachable } from "./relay-refusal.js";
import { sendRequest } from "./relay-request.js";
import type { RelayedServerOptions } from "./relay-server.js";

/** What a server tells a guard: what it found, that the asker was stopped, or in which words it refused. */
export type ServerGuard =
  | GuardFindings
  | { readonly stopped: string }
  | { readonly refused: string; readonly code: string };

/**
 * Asks a server for a guard. The same request twice is the same as once, so one whose answer was lost is one that was not
 * answered.
 */
export async function guardAtServer(
  { url, agent, token, version, quietMs = 20_000 }: RelayedServerOptions,
  asked: GuardFiles | GuardStop,
  signal: AbortSignal,
): Promise<ServerGuard> {
  // Beside the address of MCP, also where a proxy puts both behind a path of its own.
  const there = new URL(guardPath.slice(1), url);
  if (agent !== undefined) there.searchParams.set("agent", agent);
  const ended = await sendRequest(there, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "user-agent": `llm-mailbox/${version} (guard)`,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(asked),
    signal,
    quietMs,
  });
  if (ended.kind !== "answered") return refusal(unreachable(url.origin));
  const { status, json } = ended;
  const { error } = (json ?? {}) as { error?: { message?: unknown; data?: { code?: unknown } } };
  if (status === 502 || status === 503 || status === 504) return refusal(unreachable(url.origin));
  if (typeof error?.message === "string")
    return { refused: error.message, code: String(error.data?.code ?? "server.refused") };
  if (status === 200 && isAnswer(json)) return json;
  return refusal(refusedWith(status));
}

function isAnswer(json: unknown): json is GuardFindings | { readonly stopped: string } {
  if (typeof json !== "object" || json === null) return false;
  const { stopped } = json as { readonly stopped?: unknown };
  if (stopped !== undefined) return typeof stopped === "string";
  // To a stop it answers with nothing at all.
  const lists = ["reserved", "wanted", "refused", "untold", "unnameable"];
  return Object.keys(json).length === 0 || lists.every((name) => Array.isArray((json as never)[name]));
}

function refusal({ message, code }: { readonly message: string; readonly code: string }): ServerGuard {
  return { refused: message, code };
}
