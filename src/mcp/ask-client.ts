import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Approval, formText } from "../approvals/index.js";

/** What the user of a client said, as far as its client can be believed. */
export interface ClientAnswer {
  readonly decision: "approve" | "reject";
  readonly comment?: string | undefined;
}

/**
 * What became of asking: the client cannot show a form, or not all of the question; or what it is told to ask its user
 * before it calls again (2026); or what its user said (2025), nothing where they gave no answer.
 */
export type AskedClient =
  | { readonly how: "unable" }
  | { readonly how: "again"; readonly result: InputRequiredResult }
  | { readonly how: "asked"; readonly answer?: ClientAnswer };

const Answer = z.object({
  decision: z.enum(["approve", "reject"]),
  comment: z.string().max(2_000).optional(),
});

const form = {
  type: "object" as const,
  properties: {
    decision: { type: "string" as const, title: "Decision", enum: ["approve", "reject"] },
    comment: { type: "string" as const, title: "Comment", maxLength: 2_000 },
  },
  required: ["decision"],
};

/** A person may be away from their desk; the request stands for others meanwhile. */
const mostWaitMs = 10 * 60_000;

/**
 * Puts a request to the user of the client that made it. Whoever answers, and whether anybody does, is the client's word.
 *
 * @param untilDecided resolves when somebody else has decided it, or when the signal says that nobody needs to know
 * @param declared what the client said it can do when it connected; a modern one says so with each request
 */
export async function askClient(
  context: ServerContext,
  declared: ClientCapabilities | undefined,
  approval: Approval,
  untilDecided: (signal: AbortSignal) => Promise<unknown>,
): Promise<AskedClient> {
  const message = formText(approval);
  if (!takesForms(capabilitiesOf(context) ?? declared) || message === undefined) return { how: "unable" };
  const params = { mode: "form" as const, message, requestedSchema: form };
  if (isModern(context))
    return {
      how: "again",
      result: inputRequired({ inputRequests: { [approval.id]: inputRequired.elicit(params) } }),
    };
  const waitMs = Math.min(Date.parse(approval.expires_at) - Date.now(), mostWaitMs);
  const over = new AbortController();
  // A form that nobody needs any more is not waited for.
  untilDecided(over.signal).then(
    () => over.abort(),
    () => undefined,
  );
  try {
    const { action, content } = await context.mcpReq.send(
      { method: "elicitation/create", params },
      { timeout: Math.max(waitMs, 1), signal: AbortSignal.any([context.mcpReq.signal, over.signal]) },
    );
    return { how: "asked", ...answerIn(action, content) };
  } catch {
    // It did not answer, or does not know how: the request stands, and others decide it.
    return { how: "asked" };
  } finally {
    over.abort();
  }
}

/**
 * What a modern client brings with the call that it makes again: about which request, and what its user said. Nothing of
 * a client that does not say that it can show forms.
 */
export function clientAnswers(
  context: ServerContext,
): { readonly id: string; readonly answer?: ClientAnswer } | undefined {
  if (!takesForms(capabilitiesOf(context))) return undefined;
  const responses = context.mcpReq.inputResponses;
  const id = Object.keys(responses ?? {}).find((key) => /^ap-[0-9a-z]{12}$/.test(key));
  if (id === undefined) return undefined;
  const view = inputResponse(responses, id);
  return { id, ...(view.kind === "elicit" ? answerIn(view.action, view.content) : {}) };
}

function answerIn(action: string, content: unknown): { readonly answer?: ClientAnswer } {
  const read = action === "accept" ? Answer.safeParse(content) : undefined;
  return read?.success ? { answer: read.data } : {};
}

/** Whoever speaks 2026-07-28 sends what it is and can do along with each request. */
function isModern(context: ServerContext): boolean {
  return capabilitiesOf(context) !== undefined;
}

function capabilitiesOf(context: ServerContext): ClientCapabilities | undefined {
  const envelope = context.mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
}

/** Before there were modes, a client that could ask could show a form. */
function takesForms(capabilities: ClientCapabilities | undefined): boolean {
  const { elicitation } = capabilities ?? {};
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}
