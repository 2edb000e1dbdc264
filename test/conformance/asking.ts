import { randomBytes } from "node:crypto";
import {
  createRequestStateCodec,
  type InputRequest,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";

/** What a fixture asks its client in one round, by the names under which the answers come back. */
export type Round = InputRequests;

interface Reached {
  readonly round: number;
}

const states = createRequestStateCodec<Reached>({ key: randomBytes(32) });

/** One question that the person at the client answers with one text. */
export function ask(message: string, field: string): InputRequest {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type: "string" } }, required: [field] },
  });
}

/** Yes or no, from the person at the client. */
export function confirm(message: string): InputRequest {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
  });
}

/** One question to the client's model. */
export function askModel(text: string): InputRequest {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text } }],
    maxTokens: 100,
  });
}

/**
 * What is still to be asked of the client, or undefined when it has answered all rounds. With `state` the client carries
 * the round it has reached, sealed; a seal that is not ours is refused.
 */
export async function stillToAsk(
  rounds: readonly Round[],
  context: ServerContext,
  { state }: { readonly state: boolean },
): Promise<InputRequiredResult | undefined> {
  const { inputResponses } = context.mcpReq;
  const reached = state ? await roundReached(context) : 0;
  const answered = (round: Round): boolean =>
    Object.keys(round).every((key) => inputResponse(inputResponses, key).kind !== "missing");
  const next = reached !== undefined && answered(rounds[reached]!) ? reached + 1 : (reached ?? 0);
  if (next === rounds.length) return undefined;
  return inputRequired({
    inputRequests: rounds[next]!,
    ...(state && { requestState: await states.mint({ round: next }) }),
  });
}

/** Undefined when the client brought no state, so that nothing has been asked yet. */
async function roundReached(context: ServerContext): Promise<number | undefined> {
  const carried = context.mcpReq.requestState<string>();
  if (carried === undefined) return undefined;
  try {
    return (await states.verify(carried, context)).round;
  } catch {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "this state was not issued here");
  }
}
