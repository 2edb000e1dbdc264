import { setMaxListeners } from "node:events";
import { isJsonContentType } from "@modelcontextprotocol/server";
import { httpStatus, MailboxError } from "../errors/index.js";
import { localPrincipal, type Principal } from "../identity/index.js";
import { denial } from "../policy/index.js";
import { closedAnswer, hookPath, isClosedHook } from "./closed-hook.js";
import { guardPath } from "./guard-path.js";
import { whoAsks } from "./http-asker.js";
import {
  type Asker,
  type Asking,
  type HttpExchange,
  jsonRpcError,
  type McpEndpointOptions,
  requestIds,
} from "./http-asking.js";
import { answerGuardRequest } from "./http-guard.js";
import { answerHookRequest } from "./http-hook.js";
import { defaultEndpointLimits } from "./http-limits.js";
import { Owners } from "./http-owners.js";
import { HttpSessions } from "./http-sessions.js";
import { SseStreams } from "./http-sse.js";
import { HttpStateless } from "./http-stateless.js";
import { isOlderEra } from "./is-older-era.js";
import { loopTurns } from "./loop-turns.js";
import { misspeltHook } from "./misspelt-hook.js";
import { parseBody } from "./parse-body.js";
import { isRelayedRequest, refusalReply } from "./relay-refusal.js";
import type { Rooms } from "./rooms.js";

export type { HttpExchange, McpEndpointOptions } from "./http-asking.js";

/** What is open at an endpoint now. */
export interface EndpointUse {
  /** 2025 sessions over Streamable HTTP. */
  readonly sessions: number;
  /** Of these, those whose client listens for updates. */
  readonly listening: number;
  /** Agents that call without a session. */
  readonly guests: number;
  /** Streams of the two-endpoint transport. */
  readonly sse: number;
  /** Streams of `subscriptions/listen`. */
  readonly subscriptions: number;
  readonly calls: number;
}

/** MCP over HTTP: Streamable HTTP of both eras at `/mcp`, the two-endpoint transport of 2024-11-05 at `/sse`. */
export interface McpEndpoint {
  /** @param body gives the text of the request's body, where it has been read already; asked for once, when it is used */
  fetch(request: Request, exchange: HttpExchange, body?: () => string): Promise<Response>;
  /** What is answered with 200 where an error would be passed over as if all were well; undefined where it may be one. */
  insteadOfError(address: string, reason: string): object | undefined;
  /**
   * Who asks for something else than MCP: believed by the same credentials, and within the same allowance of calls until
   * the exchange is settled.
   */
  whoAsks(request: Request, exchange: HttpExchange): Promise<Principal | Response>;
  /** Counts a request by which nobody proves who asks to this key; answers the refusal where it was one too many in this minute. */
  counted(key: string): Response | undefined;
  readonly use: EndpointUse;
  /** Ends whatever a principal has open here: sessions, streams, runs, and the connections its calls came by. */
  endOwner(owner: string): void;
  /** Answers the waits in flight as if their time were over; resolves when no call is in flight any more. */
  drain(): Promise<void>;
  /** Ends all calls, sessions and runs; resolves within 3 seconds. */
  close(): Promise<void>;
}

/**
 * Who asks is said by `whoAsks` and nothing else; `?structured=1` asks for structured answers. The 2025 era gets sessions
 * (the SDK's stateless mode would accept its subscriptions and never serve them), the 2026 era does without.
 */
export function openEndpoint(rooms: Rooms, options: McpEndpointOptions): McpEndpoint {
  const owners = new Owners({ ...defaultEndpointLimits, ...options.limits });
  const sessions = new HttpSessions(rooms, options, owners);
  const stateless = new HttpStateless(rooms, options, owners);
  const streams = new SseStreams(rooms, options, owners);
  const draining = new AbortController();
  setMaxListeners(0, draining.signal);

  const streamable = async (asking: Asking): Promise<Response> => {
    const { request, body, owner, account, exchange } = asking;
    if (request.method === "POST" && !isListen(body)) {
      const calls = requestIds(body).length;
      const give = calls > 0 ? owners.hold(account, "call", calls) : owners.hold(account, "note");
      if (give instanceof Response) return give;
      exchange.onSettled(give);
    }
    owners.connected(owner, exchange);
    return (await isOlderEra(request, body)) ? sessions.fetch(asking) : stateless.fetch(asking);
  };

  const hook = async (asking: Asking, answerTo: typeof answerHookRequest): Promise<Response> => {
    const give = owners.hold(asking.account, "call");
    if (give instanceof Response) return give;
    asking.exchange.onSettled(give);
    owners.connected(asking.owner, asking.exchange);
    return answerTo(rooms, options, asking);
  };

  const answer: McpEndpoint["fetch"] = async (request, exchange, given) => {
    const asker = await whoAsks(rooms, options, request);
    if (asker instanceof Response) return asker;
    const isPost = request.method === "POST";
    if (asker instanceof MailboxError && !isPost) return forbidden(asker);
    const url = new URL(request.url);
    const refused = owners.requested(accountOf(asker, request, url));
    if (refused) return refused;
    if (isPost && !isJsonContentType(request.headers.get("content-type")))
      return jsonRpcError(415, -32000, "Content-Type must be application/json");
    const isHook = url.pathname === hookPath;
    const isGuard = url.pathname === guardPath;
    // Who asks may have been looked up for many at once.
    const turn = loopTurns.mine();
    if (turn) await turn;
    const read = isPost
      ? parseBody(given?.() ?? (await request.text()), !isHook && !isGuard)
      : { value: undefined };
    if ("problem" in read) return jsonRpcError(400, read.code, read.problem);
    const structured = ["1", "true"].includes(url.searchParams.get("structured") ?? "");
    if (asker instanceof MailboxError)
      return isHook
        ? Response.json(denial(asker.message))
        : isGuard
          ? Response.json({ stopped: asker.message })
          : toldToModel(asker, read.value, structured);
    const asking: Asking = {
      request,
      body: read.value,
      exchange,
      structured,
      draining: draining.signal,
      ...asker,
    };
    if (isHook) return hook(asking, answerHookRequest);
    if (isGuard) return hook(asking, answerGuardRequest);
    if (url.pathname === "/sse") return streams.open(asking);
    return url.pathname === "/sse/messages" ? streams.receive(asking) : streamable(asking);
  };

  return {
    fetch: async (request, exchange, given) => {
      const misspelt = misspeltHook(request.url);
      if (misspelt) return Response.json(misspelt);
      const response = await answer(request, exchange, given);
      if (response.ok || !isClosedHook(request.url)) return response;
      return Response.json(closedAnswer(await reasonOf(response)));
    },
    insteadOfError: (address, reason) =>
      misspeltHook(address) ?? (isClosedHook(address) ? closedAnswer(reason) : undefined),
    whoAsks: async (request, exchange) => {
      const asker = await whoAsks(rooms, options, request);
      if (asker instanceof Response) return asker;
      if (asker instanceof MailboxError) return forbidden(asker);
      if (!asker.principal && asker.agent === undefined)
        return jsonRpcError(400, -32602, "say who asks: ?agent=NAME, or a token in Authorization: Bearer");
      const give = owners.requested(asker.account) ?? owners.hold(asker.account, "call");
      if (give instanceof Response) return give;
      exchange.onSettled(give);
      owners.connected(asker.owner, exchange);
      return asker.principal ?? localPrincipal(options.namespace, asker.agent!);
    },
    // No agent is named so.
    counted: (key) => owners.requested(`/${key}`),
    get use() {
      return {
        sessions: sessions.size,
        listening: sessions.listening,
        guests: stateless.size,
        sse: streams.size,
        subscriptions: owners.count("stream"),
        calls: owners.count("call"),
      };
    },
    endOwner: (owner) => {
      for (const part of [sessions, stateless, streams]) part.endOwner(owner);
      owners.cut(owner);
    },
    drain: () => {
      draining.abort();
      return owners.idle();
    },
    close: async () => {
      draining.abort();
      await Promise.all([sessions.close(), stateless.close(), streams.close()]);
    },
  };
}

/** What an error of ours says. */
async function reasonOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { readonly error?: { readonly message?: string } };
  return error?.message ?? `the request was answered with ${response.status}`;
}

/** Whose requests are counted. Whoever is stopped has proved all the same who asks. */
function accountOf(asker: Asker | MailboxError, request: Request, url: URL): string {
  if (!(asker instanceof MailboxError)) return asker.account;
  return `stopped ${request.headers.get("authorization") ?? url.searchParams.get("agent") ?? ""}`;
}

function forbidden(error: MailboxError): Response {
  return jsonRpcError(httpStatus(error.kind), -32000, error.message);
}

/** A call of a tool is answered as tools answer, so that the model reads why; clients show it no error of HTTP. */
function toldToModel(error: MailboxError, body: unknown, structured: boolean): Response {
  if (!isRelayedRequest(body) || body.method !== "tools/call") return forbidden(error);
  return Response.json(refusalReply(body, error, structured));
}

function isListen(body: unknown): boolean {
  return (body as { method?: unknown } | null | undefined)?.method === "subscriptions/listen";
}
