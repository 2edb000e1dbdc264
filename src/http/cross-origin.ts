const sent =
  "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name";

/**
 * What a browser is told so that a page of an origin the operator allows may send what clients send, and see the answer.
 * Pages of any other origin, this machine's included, are told nothing, and their browser lets them see nothing.
 */
export function crossOriginHeaders(
  origin: string | undefined,
  allowed: readonly string[] = [],
): Readonly<Record<string, string>> {
  if (origin === undefined || !allowed.some((one) => one.toLowerCase() === origin.toLowerCase())) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-allow-headers": sent,
    "access-control-expose-headers": "mcp-session-id, www-authenticate",
    "access-control-max-age": "600",
    vary: "origin",
  };
}
