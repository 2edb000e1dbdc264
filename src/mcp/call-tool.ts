import type {
  CallToolResult,
  ClientCapabilities,
  InputRequiredResult,
  ServerContext,
} from "@modelcontextprotocol/server";
import type { LockNews } from "../locks/index.js";
import { askClient, type ClientAnswer, clientAnswers } from "./ask-client.js";
import { type Closing, closingNews, closingOfRefusal, toldBy } from "./closing-news.js";
import type { Connection } from "./connection.js";
import type { AnyTool, Tool } from "./define-tool.js";
import type { Exchange } from "./exchange.js";
import { readArguments } from "./read-arguments.js";
import { asRefusal, structuredCode, structuredRefusal } from "./refusal.js";
import { type Part, renderReply, replyChars } from "./reply.js";

/** What the calls of one client share. */
export interface Calling {
  readonly connection: Connection;
  readonly structured: boolean;
  readonly clientName: string | undefined;
  /** What the client said when it connected that it can do; a modern one says so with each request. */
  readonly clientCan: ClientCapabilities | undefined;
  readonly exchange: Exchange;
  readonly context: ServerContext;
}

/**
 * Calls a tool, tells its outcome, and meters it. Never throws: a refusal is a result that begins with its code, a bug is logged
 * and told as `internal`. Where a person is to be asked and the client can, a modern client is told to ask and call again. A batch of messages counts as read only when the reply that carries it was handed over.
 */
export async function callTool(
  anyTool: AnyTool,
  given: Readonly<Record<string, unknown>>,
  calling: Calling,
): Promise<CallToolResult | InputRequiredResult> {
  const tool = anyTool as unknown as Tool<unknown, unknown>;
  const { meters } = calling.connection;
  if (!meters) return (await carryOut(tool, given, calling)).result;
  const from = performance.now();
  const { result, code } = await carryOut(tool, given, calling);
  meters.called(tool.name, code, (performance.now() - from) / 1000);
  return result;
}

/** The reply, and the word for what became of the call: `ok`, `asked`, `cancelled` or the code of a refusal. */
interface Outcome {
  readonly result: CallToolResult | InputRequiredResult;
  readonly code: string;
}

async function carryOut(
  tool: Tool<unknown, unknown>,
  given: Readonly<Record<string, unknown>>,
  calling: Calling,
): Promise<Outcome> {
  const { connection, exchange } = calling;
  const { mail, topics, locks, state, policy, approvals, agents } = connection.rooms;
  const cancelled = new Cancellation(exchange.signal, calling.context.mcpReq.signal);
  let confirm: ((reached: boolean) => void) | undefined;
  let waited: (() => void) | undefined;
  let closing: Closing | undefined;
  const ofBody: (() => void)[] = [];
  const unread = (): void => {
    closing?.unread();
    for (const one of ofBody) one();
  };
  try {
    const input = readArguments(tool.input, given);
    const caller = await connection.caller(calling.clientName);
    const onWaiting = reporter(calling.context, input.wait_seconds);
    if (typeof input.wait_seconds === "number" && input.wait_seconds > 0) waited = connection.meters?.waits();
    const { session, draining } = connection;
    const { structured } = calling;
    const surroundings = {
      caller,
      mail,
      topics,
      locks,
      state,
      policy,
      approvals,
      agents,
      session,
      structured,
      onWaiting,
      // No getter: an object written with one gets a hidden class to itself, which keeps the call until a full collection.
      signal: () => cancelled.signal,
      draining,
      tells: (news: LockNews) => void ofBody.push(toldBy(exchange, connection, caller, [news])),
    };
    const answered = tool.asksClient && clientAnswers(calling.context);
    // Whoever was not asked has nothing to answer; the call is then one like any other.
    const said = answered && connection.hasAsked(answered.id) ? answered : undefined;
    if (said?.answer) await keepAnswer(connection, caller, said.id, said.answer);
    let output = await tool.handle(said ? tool.asksClient!.again(input, said.id) : input, surroundings);
    const waits = said ? undefined : tool.asksClient?.waitsFor(output);
    if (waits !== undefined && connection.asksFirst(waits)) {
      const approval = await connection.rooms.approvals.askedOfClient(caller, waits);
      const asked =
        approval &&
        (await askClient(calling.context, calling.clientCan, approval, (signal) =>
          approvals.untilDecided(caller, waits, { signal, draining }),
        ));
      if (asked?.how === "again") {
        connection.nowAsks(waits);
        return { code: "asked", result: asked.result };
      }
      if (asked?.how === "asked" && asked.answer) await keepAnswer(connection, caller, waits, asked.answer);
      // Also without an answer it may have been decided meanwhile, or its time may be over.
      if (asked?.how === "asked" && (asked.answer || !(await approvals.askedOfClient(caller, waits)))) {
        output = await tool.handle(tool.asksClient!.again(input, waits), surroundings);
      }
    }
    const batch = tool.batch?.(output);
    if (batch !== undefined) confirm = (reached) => tellBatch(connection, caller, batch, reached);
    const refusal = tool.refusal?.(output);
    // First what closes the reply, which is told only here, so that the rest has the room that it leaves.
    if (!cancelled.aborted)
      closing = await closingNews(connection, caller, { tellsMail: tool.tellsNews ?? false, exchange });
    const text = closing?.text ?? "";
    const told = asParts(tool.say(output, { input, session, room: replyChars - text.length }));
    const parts = refusal ? [refusal.message, ...(refusal.alone ? [] : told)] : told;
    const content = renderReply(parts, text);
    if (cancelled.aborted) unread();
    if (confirm && cancelled.aborted) confirm(false);
    else if (confirm) exchange.onSettled(confirm);
    return {
      code: cancelled.aborted ? "cancelled" : (refusal?.code ?? "ok"),
      result: {
        content,
        ...(refusal && { isError: true }),
        ...(structured && {
          structuredContent: { ...(output as object), ...(refusal && structuredCode(refusal)) },
        }),
      },
    };
  } catch (error) {
    confirm?.(false);
    // Nobody waits for this reply, and what a wait that was cut short throws is nobody's fault.
    if (cancelled.aborted) {
      unread();
      return { code: "cancelled", result: { content: [{ type: "text", text: "cancelled" }], isError: true } };
    }
    const refusal = asRefusal(error, connection.log, tool.name);
    closing ??= await closingAfter(refusal.code, connection, exchange);
    return {
      code: refusal.code,
      result: {
        content: renderReply([refusal.message], closing?.text),
        isError: true,
        ...(calling.structured && { structuredContent: structuredRefusal(refusal) }),
      },
    };
  } finally {
    waited?.();
  }
}

/** What the client's user said counts or it does not; either way the tool tells how the request stands then. */
async function keepAnswer(
  { rooms, log }: Connection,
  caller: CallerOf,
  id: string,
  { decision, comment }: ClientAnswer,
): Promise<void> {
  try {
    await rooms.approvals.decideByClient(caller, { approval_id: id, decision, comment });
  } catch (err) {
    log.info({ err, id }, "the word of a client's user was not counted");
  }
}

/** That nobody waits for a reply any more: its client has gone, or has cancelled the call. */
class Cancellation {
  readonly #gone: AbortSignal;
  readonly #cancelled: AbortSignal;

  constructor(gone: AbortSignal, cancelled: AbortSignal) {
    this.#gone = gone;
    this.#cancelled = cancelled;
  }

  get aborted(): boolean {
    return this.#gone.aborted || this.#cancelled.aborted;
  }

  /** Both in one. To make it costs more than most of what a call does besides. */
  get signal(): AbortSignal {
    return this.#gone === this.#cancelled ? this.#gone : AbortSignal.any([this.#gone, this.#cancelled]);
  }
}

function asParts(said: string | readonly Part[]): readonly Part[] {
  return typeof said === "string" ? [said] : said;
}

type CallerOf = Awaited<ReturnType<Connection["caller"]>>;

function tellBatch(connection: Connection, caller: CallerOf, batch: string, reached: boolean): void {
  // Without a session nobody knows whether the next call comes from whoever got this reply: `after` says so.
  if (reached && !connection.session) return;
  try {
    connection.rooms.mail.confirm(caller, batch, reached);
  } catch (err) {
    connection.log.error({ err, batch, reached }, "the fate of a batch could not be told");
  }
}

/** What closes a refusal: why it was refused may be what the run lost. Not where the store is not reached, or nobody is believed. */
async function closingAfter(
  code: string,
  connection: Connection,
  exchange: Exchange,
): Promise<Closing | undefined> {
  if (/^(store|auth)\./.test(code)) return undefined;
  const caller = await connection.begun();
  return caller && closingOfRefusal(connection, caller, { tellsMail: true, exchange });
}

function reporter(context: ServerContext, waitSeconds: unknown): (secondsLeft: number) => void {
  const token = context.mcpReq._meta?.progressToken;
  if (token === undefined || typeof waitSeconds !== "number") return () => undefined;
  return (secondsLeft) => {
    const params = {
      progressToken: token,
      progress: Math.max(waitSeconds - secondsLeft, 0),
      total: waitSeconds,
      message: `waiting for mail, ${secondsLeft} s left`,
    };
    // A client that is gone gets no progress; the exchange tells the call so.
    context.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}
