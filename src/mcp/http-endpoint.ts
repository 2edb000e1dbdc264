import { isJsonContentType, isLegacyRequest } from "@modelcontextprotocol/server";
import { whoAsks } from "./http-asker.js";
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
 * Who asks is derived here and nowhere else; `?structured=1` asks for structured answers. The 2025 era gets sessions (the
 * SDK's stateless mode would accept its subscriptions and never serve them), the 2026 era does without.
 */
export function openEndpoint(rooms: Rooms, options: McpEndpointOptions): McpEndpoint {
  const sessions = new HttpSessions(rooms, options);
  const stateless = new HttpStateless(rooms, options);
  return {
    fetch: async (request, exchange) => {
      const asker = await whoAsks(rooms, options, request);
      if (asker instanceof Response) return asker;
      const isPost = request.method === "POST";
      if (isPost && !isJsonContentType(request.headers.get("content-type")))
        return jsonRpcError(415, -32000, "Content-Type must be application/json");
      const body = isPost ? parse(await request.text()) : undefined;
      if (isPost && body === undefined) return jsonRpcError(400, -32700, "the body is not valid JSON");
      const asking = {
        request,
        body,
        exchange,
        ...asker,
        structured: ["1", "true"].includes(new URL(request.url).searchParams.get("structured") ?? ""),
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
