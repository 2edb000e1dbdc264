import { isAgentName } from "../addresses/index.js";
import { httpStatus, isRefusal, MailboxError } from "../errors/index.js";
import { looksLikeToken } from "../identity/index.js";
import { type Asker, jsonRpcError, type McpEndpointOptions, tooMany } from "./http-asking.js";
import type { Rooms } from "./rooms.js";

const bearer = /^Bearer +([\w.~+/=-]+) *$/i;

/** Words under which a credential would be put into an address, where logs and histories keep it. */
const secretWords = ["access_token", "token", "bearer", "authorization", "api_key", "apikey", "jwt"];

/**
 * Who asks is said by the credential in `Authorization: Bearer`, and where names alone are believed by `?agent=NAME`.
 * A refusal for a credential is the same whether it is unknown, expired, revoked or meant for another server.
 *
 * @returns a refusal that a model has to read, as the answer to whatever it asked; any other as a response
 */
export async function whoAsks(
  rooms: Rooms,
  options: McpEndpointOptions,
  request: Request,
): Promise<Asker | Response | MailboxError> {
  const url = new URL(request.url);
  const named = [...url.searchParams.keys()].map((name) => name.toLowerCase());
  if (secretWords.some((word) => named.includes(word)) || [...url.searchParams.values()].some(looksLikeToken))
    return refusal(400, inAddress);
  const agent = url.searchParams.get("agent")?.trim().toLowerCase() || undefined;
  if (agent !== undefined && !isAgentName(agent)) return refusal(400, badName);
  const authorization = request.headers.get("authorization");
  try {
    if (authorization === null) return await unproved(rooms, options, agent);
    const principal = await rooms.identity.verify(bearer.exec(authorization)?.[1] ?? "");
    if (agent !== undefined && agent !== principal.agent) {
      await rooms.identity.refused(principal, "auth.prove", invalid(otherName));
      return refusal(403, otherName);
    }
    await rooms.identity.check(principal);
    const { kind } = principal.credential;
    const id = "id" in principal.credential ? principal.credential.id : "";
    return {
      agent: principal.agent,
      principal,
      account: JSON.stringify([principal.namespace, principal.agent]),
      owner: JSON.stringify([principal.namespace, principal.agent, kind, id]),
      whileHolds: (onEnd) => rooms.identity.whileHolds(principal, onEnd),
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (error.code === "access.stopped") return error;
    if (error.kind === "UNAUTHENTICATED") return unauthorized(error, url, options);
    if (error.kind === "UNAVAILABLE") return tooMany(503, error.message, 5);
    return jsonRpcError(httpStatus(error.kind), -32000, error.message);
  }
}

async function unproved(
  rooms: Rooms,
  options: McpEndpointOptions,
  agent: string | undefined,
): Promise<Asker> {
  if (options.credentialsRequired) {
    const error = new MailboxError("auth.required", { because: "this server asks for a credential" });
    await rooms.identity.refused({ namespace: options.namespace }, "auth.prove", error);
    throw error;
  }
  const held = {
    namespace: options.namespace,
    credential: { kind: "none" },
    ...(agent !== undefined && { agent }),
  } as const;
  await rooms.identity.check(held);
  return {
    agent,
    principal: undefined,
    owner: agent ?? "",
    account: agent ?? "",
    whileHolds: (onEnd) => rooms.identity.whileHolds(held, onEnd),
  };
}

/** As RFC 6750 and RFC 9728 say it, so that a client finds out where credentials come from. */
function unauthorized(error: MailboxError, url: URL, { publicUrl }: McpEndpointOptions): Response {
  const response = jsonRpcError(401, -32001, error.message);
  const metadata = `${publicUrl ?? url.origin}/.well-known/oauth-protected-resource/mcp`;
  const invalid = error.code === "auth.invalid" ? 'error="invalid_token", ' : "";
  response.headers.set("www-authenticate", `Bearer ${invalid}resource_metadata="${metadata}"`);
  response.headers.set("cache-control", "no-store");
  return response;
}

const badName = "agent in the address must be 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit";
const otherName = "agent in the address is not the agent that the credential was issued for";
const inAddress =
  "a credential in the address ends up in logs; pass it in the header Authorization: Bearer, and replace this one";

function refusal(status: number, problem: string): Response {
  return jsonRpcError(status, -32602, invalid(problem).message);
}

function invalid(problem: string): MailboxError {
  return new MailboxError("input.invalid", { problem });
}
