import { isLegacyRequest, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";

const newestEra = "2026-07-28";

/**
 * Whether a request belongs to the eras with sessions, as the SDK decides it. The SDK looks at the whole message with its
 * schemas, and its handler for the newer era does so again; where the answer is plain from a few fields, it is not asked.
 */
export function isOlderEra(request: Request, body: unknown): boolean | Promise<boolean> {
  return plainly(request, body) ?? isLegacyRequest(request, body);
}

function plainly(request: Request, body: unknown): boolean | undefined {
  if (request.method !== "POST" || typeof body !== "object" || body === null || Array.isArray(body))
    return undefined;
  const { jsonrpc, id, method, params, ...more } = body as Readonly<Record<string, unknown>>;
  if (jsonrpc !== "2.0" || typeof method !== "string" || Object.keys(more).length > 0) return undefined;
  const named = request.headers.get("mcp-protocol-version");
  // Whether it is right or wrong, it is not the older era that answers it.
  if (named === newestEra && method !== "initialize") return false;
  if (named !== null && named >= newestEra) return undefined;
  const isRequest = typeof id === "string" || Number.isSafeInteger(id);
  return isRequest && claimsNothing(params) ? true : undefined;
}

/** That the parameters say nothing about the era, and are of a shape that needs no second look. */
function claimsNothing(params: unknown): boolean {
  if (params === undefined) return true;
  if (typeof params !== "object" || params === null || Array.isArray(params)) return false;
  const { _meta: meta } = params as { readonly _meta?: unknown };
  if (meta === undefined) return true;
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) return false;
  const { progressToken, ...rest } = meta as Readonly<Record<string, unknown>>;
  const isToken =
    progressToken === undefined || typeof progressToken === "string" || Number.isSafeInteger(progressToken);
  return isToken && Object.keys(rest).length === 0 && !(PROTOCOL_VERSION_META_KEY in meta);
}
