import { isRefusal, refuse } from "../errors/index.js";
import { type AcquireLock, acquireAsAsked } from "../locks/index.js";
import { type MailboxLimits, type SendMessage, sendAsAsked } from "../mailbox/index.js";
import { type PutState, putAsAsked, type StateLimits } from "../state/index.js";
import type { AnyTool } from "./define-tool.js";
import { readArguments } from "./read-arguments.js";
import { acquireLock } from "./tools/acquire-lock.js";
import { putState } from "./tools/put-state.js";
import { sendMessage } from "./tools/send-message.js";

type Values = Readonly<Record<string, unknown>>;

/** A step that one of our own tools asks rules and people about. */
export interface OwnStep {
  readonly action: string;
  readonly arguments: Values;
  /** Who is to take it. */
  readonly agent: string;
  readonly limits: { readonly mail: MailboxLimits; readonly state: StateLimits };
}

/**
 * The arguments of a step in the form in which its tool asks about them, however they are written; those of any other step
 * as they are.
 *
 * @throws {MailboxError} what the tool would refuse them with; `input.invalid` for what it does not know
 */
export function argumentsOfStep({ action, arguments: given, agent, limits }: OwnStep): Values {
  const send = (): Values => sendAsAsked(read<SendMessage>(sendMessage, given), limits.mail);
  const acquire = (): Values => acquireAsAsked(read<AcquireLock>(acquireLock, given), agent);
  switch (action.trim().toLowerCase()) {
    case "mailbox.send":
      return send();
    case "topic.publish":
      // It is asked about also where a lock is to tell of a turn.
      return Object.hasOwn(given, "resources") ? acquire() : send();
    case "lock.acquire":
      return acquire();
    case "state.write":
      return putAsAsked(read<PutState>(putState, given), limits.state);
    default:
      return given;
  }
}

function read<Input>({ name, input }: AnyTool, given: Values): Input {
  try {
    return readArguments(input, given) as Input;
  } catch (error) {
    if (!isRefusal(error, "input.invalid")) throw error;
    return refuse("input.invalid", {
      problem: `${name} could not be called with this: ${String(error.facts.problem)}`,
    });
  }
}
