import { createHash } from "node:crypto";
import { DecideApproval, type LinkedApproval } from "../approvals/index.js";
import { httpStatus, isRefusal, MailboxError } from "../errors/index.js";
import type { Caller, Principal } from "../identity/index.js";
import type { HttpExchange, McpEndpoint, Rooms } from "../mcp/index.js";
import { approvalPage, decidedPage, refusedPage } from "./approval-page.js";

/** What a program sends to decide. */
const Body = DecideApproval.omit({ approval_id: true }).required({ decision: true }).strict();

const linkPath = "/a/";

export function isApprovalLink(path: string): boolean {
  return path.startsWith(linkPath);
}

/**
 * Where approvers come in: programs with a token at `/approvals`, as JSON; people with a signed link at `/a/…`, as a page
 * that decides when its form is sent and not before.
 */
export class ApprovalDoor {
  readonly #rooms: Rooms;
  readonly #endpoint: McpEndpoint;

  constructor(rooms: Rooms, endpoint: McpEndpoint) {
    this.#rooms = rooms;
    this.#endpoint = endpoint;
  }

  async fetch(request: Request, exchange: HttpExchange, body?: () => string): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (isApprovalLink(pathname)) return this.#byLink(request, pathname.slice(linkPath.length), body?.());
    const principal = await this.#endpoint.whoAsks(request, exchange);
    if (principal instanceof Response) return asPlainError(principal);
    return refusedAsJson(() => this.#byProgram(request, callerOf(principal), pathname, body?.()));
  }

  async #byProgram(
    request: Request,
    caller: Caller,
    pathname: string,
    body: string | undefined,
  ): Promise<Response> {
    const { approvals } = this.#rooms;
    if (pathname === "/approvals") return json(200, { approvals: await approvals.listApprovals(caller) });
    const id = pathname.slice("/approvals/".length);
    if (request.method === "GET") return json(200, await approvals.getApproval(caller, id));
    if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? ""))
      return json(415, { error: { message: "Content-Type must be application/json" } });
    const read = Body.safeParse(parsed(body ?? ""));
    if (!read.success)
      throw invalid(
        "the body is JSON with decision (approve, edit, reject or answer), and where they apply comment, arguments and idempotency_key",
      );
    return json(200, await approvals.decideApproval(caller, { ...read.data, approval_id: id }));
  }

  async #byLink(request: Request, token: string, body: string | undefined): Promise<Response> {
    const { approvalLinks } = this.#rooms;
    const tooMany = this.#endpoint.counted(`link ${createHash("sha256").update(token).digest("base64url")}`);
    if (tooMany) return tooManyLooks(tooMany);
    return refusedAsPage(async () => {
      if (request.method !== "POST") return approvalPage(await approvalLinks.see(token), token);
      if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers.get("content-type") ?? ""))
        return refusedPage(415, "this page is sent by its own form");
      const form = typedInto(new URLSearchParams(body ?? ""));
      // Whoever typed something keeps it, as long as there is something to decide; if not, that is what is told.
      const again = (linked: LinkedApproval, { kind, message }: MailboxError): Response =>
        approvalPage(linked, token, { ...form, status: httpStatus(kind), problem: message });
      const sent = Body.safeParse(decisionIn(form));
      if (!sent.success)
        return again(
          await approvalLinks.see(token),
          invalid("choose one of the buttons; arguments are one JSON object"),
        );
      try {
        return decidedPage(await approvalLinks.decide(token, sent.data));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return again(await approvalLinks.seeAgain(token), error);
      }
    });
  }
}

function tooManyLooks({ status, headers }: Response): Response {
  const page = refusedPage(status, "this link was opened too often in this minute; wait for the next");
  page.headers.set("retry-after", headers.get("retry-after") ?? "60");
  return page;
}

/** Nothing of an HTTP call outlives it, so it begins no run. */
function callerOf(principal: Principal): Caller {
  return { principal, run: { id: "" as Caller["run"]["id"] } };
}

interface Typed {
  readonly decision: string | undefined;
  readonly comment: string;
  readonly arguments: string | undefined;
}

/** What the form of the page sends. Browsers end lines in CR LF, which the page did not count. */
function typedInto(form: URLSearchParams): Typed {
  const field = (name: string): string | undefined => form.get(name)?.replaceAll("\r\n", "\n");
  return {
    decision: field("decision"),
    comment: field("comment") ?? "",
    arguments: field("arguments"),
  };
}

/** A field that was left empty is not there. */
function decisionIn({ decision, comment, arguments: edited }: Typed): unknown {
  return {
    decision,
    ...(comment ? { comment } : {}),
    ...(edited === undefined ? {} : { arguments: parsed(edited) }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function refusedAsPage(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return refusedPage(error.code === "approval.link_void" ? 410 : httpStatus(error.kind), error.message);
  }
}

async function refusedAsJson(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return json(httpStatus(error.kind), { error: { code: error.code, message: error.message } });
  }
}

/** The endpoint refuses in the words of JSON-RPC; its status and headers say the same to a program that speaks none. */
async function asPlainError(response: Response): Promise<Response> {
  const { error } = (await response.json()) as { readonly error: { readonly message: string } };
  const [code] = /^[a-z]+\.[a-z_]+(?=:)/.exec(error.message) ?? [];
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return Response.json(
    { error: { ...(code && { code }), message: error.message } },
    { status: response.status, headers },
  );
}

function invalid(problem: string): MailboxError {
  return new MailboxError("input.invalid", { problem });
}

function json(status: number, value: object): Response {
  return Response.json(value, { status, headers: { "cache-control": "no-store" } });
}
