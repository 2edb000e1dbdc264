import { isJsonContentType, isLegacyRequest } from "@modelcontextprotocol/server";
import { isAgentName } from "../addresses/index.js";
import { MailboxError } from "../errors/index.js";
import { type HttpExchange, jsonRpcError, type McpEndpointOptions } from "./http-asking.js";
import { HttpSessions } from "./http-sessions.js";
import { HttpStateless } from "./http-stateless.js";
import type { Rooms } from "./rooms.js";

export type { HttpExchange, McpEndpointOptions } from "./http-asking.js";

/** MCP over Streamable HTTP, both eras at one address. */
export interface McpEndpoint {
  fetch(request: Request, exchange: HttpExchange): Promise<Response>;
  /** Ends all calls, sessions and runs; resolves within 3 seconds. */
  close(): Promise<void>;
}

/**
 * Who asks is said by the query: `?agent=NAME`, and `structured=1` for structured answers. The 2025 era gets sessions
 * (the SDK's stateless mode would accept its subscriptions and never serve them), the 2026 era does without.
 */
export function openEndpoint(rooms: Rooms, options: McpEndpointOptions): McpEndpoint {
  const sessions = new HttpSessions(rooms, options);
  const stateless = new HttpStateless(rooms, options);
  return {
    fetch: async (request, exchange) => {
      const query = new URL(request.url).searchParams;
      const agent = query.get("agent")?.trim().toLowerCase() || undefined;
      if (agent !== undefined && !isAgentName(agent)) return jsonRpcError(400, -32602, badName());
      const isPost = request.method === "POST";
      if (isPost && !isJsonContentType(request.headers.get("content-type")))
        return jsonRpcError(415, -32000, "Content-Type must be application/json");
      const body = isPost ? parse(await request.text()) : undefined;
      if (isPost && body === undefined) return jsonRpcError(400, -32700, "the body is not valid JSON");
      const asking = {
        request,
        body,
        exchange,
        agent,
        owner: agent ?? "",
        structured: ["1", "true"].includes(query.get("structured") ?? ""),
      };
      return (await isLegacyRequest(request, body)) ? sessions.fetch(asking) : stateless.fetch(asking);
    },
    close: async () => {
      await Promise.all([sessions.close(), stateless.close()]);
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function badName(): string {
  return new MailboxError("input.invalid", {
    problem: "agent in the address must be 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit",
  }).message;
}
