import { visible } from "../addresses/index.js";
import { MailboxError } from "../errors/index.js";
import { structuredRefusal } from "./refusal.js";

/** A request as a client wrote it. */
export interface RelayedRequest {
  readonly jsonrpc: "2.0";
  readonly id: string | number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export function isRelayedRequest(body: unknown): body is RelayedRequest {
  const { jsonrpc, id, method } = (body ?? {}) as Partial<RelayedRequest>;
  return jsonrpc === "2.0" && ["string", "number"].includes(typeof id) && typeof method === "string";
}

/** The answer to a request that the server did not answer: of a tool a result, as all its refusals; else an error. */
export function refusalReply(request: RelayedRequest, refusal: MailboxError, structured: boolean): object {
  const { jsonrpc, id } = request;
  if (request.method !== "tools/call")
    return { jsonrpc, id, error: { code: -32603, message: refusal.message, data: { code: refusal.code } } };
  const result = {
    content: [{ type: "text", text: refusal.message }],
    isError: true,
    ...(structured && { structuredContent: structuredRefusal(refusal) }),
    // The newer era tells a whole answer from one that still asks for something.
    ...(isModern(request) && { resultType: "complete" }),
  };
  return { jsonrpc, id, result };
}

/** Whether the request names its revision itself, as the 2026 era does. */
export function isModern({ params }: { readonly params?: unknown }): boolean {
  const meta = (params as { _meta?: Readonly<Record<string, unknown>> } | undefined)?._meta;
  return typeof meta?.["io.modelcontextprotocol/protocolVersion"] === "string";
}

export function unreachable(server: string): MailboxError {
  return new MailboxError("server.unavailable", { server });
}

/** What may or may not have been done: how to find out without doing it twice. */
export function lostAnswer({ params }: RelayedRequest): MailboxError {
  const given = (params?.arguments as { idempotency_key?: unknown } | undefined)?.idempotency_key;
  const how =
    typeof given === "string" && given !== ""
      ? `with the same idempotency_key (${visible(given.slice(0, 200))}): it will not be done twice`
      : "if it changes nothing: it had no idempotency_key, so look first whether a change was made (search_messages with sent: true)";
  return new MailboxError("server.outcome_unknown", { how });
}

export function refusedWith(status: number): MailboxError {
  return new MailboxError("server.refused", {
    status,
    what:
      status === 401 || status === 403
        ? "the token (LLM_MAILBOX_TOKEN) and the name (--agent) of this client"
        : status === 404
          ? "the address given as --server"
          : "the server",
  });
}
