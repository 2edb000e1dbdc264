import type { z } from "zod";
import type { Action, Caller, Principal } from "../identity/index.js";
import type { LockNews } from "../locks/index.js";
import type { Part } from "./reply.js";
import type { Rooms } from "./rooms.js";

/** What a tool finds around it when it is called. */
export interface Surroundings {
  readonly caller: Caller;
  readonly mail: Rooms["mail"];
  readonly topics: Rooms["topics"];
  readonly locks: Rooms["locks"];
  readonly state: Rooms["state"];
  readonly policy: Rooms["policy"];
  readonly approvals: Rooms["approvals"];
  readonly agents: Rooms["agents"];
  /** Whether the client keeps a session, so that it is known whether a reply reached it. */
  readonly session: boolean;
  /** Whether the client gets the whole answer beside the text. */
  readonly structured: boolean;
  /** For a call that can wait: aborts when nobody waits for its reply any more. Made when it is asked for. */
  readonly signal: () => AbortSignal;
  /** For a call that can wait: aborts when it is to answer as if its time were over. */
  readonly draining: AbortSignal | undefined;
  /** What the answer or the refusal tells of the run's locks: told again where the reply does not reach its client. */
  readonly tells: (news: LockNews) => void;
  /** Tells a client that asked for it how the wait goes on. */
  readonly onWaiting: (secondsLeft: number) => void;
}

/** What `say` may need to know beside the outcome. */
export interface Telling<Input> {
  readonly input: Input;
  /** Whether the client keeps a session; one that does not has to name the batch it saw. */
  readonly session: boolean;
  /** How many characters the reply has for it. */
  readonly room: number;
}

/**
 * One tool: its whole contract with the client, one call into a capability, and the words that tell its outcome.
 *
 * All four annotations are required, because a client decides by them whether to ask a person first.
 */
export interface Tool<Input = never, Output = never> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  /** What a client that opted in to structured answers gets beside the text. */
  readonly output: z.ZodObject;
  /** It is listed for whoever may do one of these with anything at all. */
  readonly needs: readonly Action[];
  /** Whether it is listed all the same, for what this principal has, which nobody needs a right to give back. */
  readonly alsoFor?: (rooms: Rooms, principal: Principal) => Promise<boolean>;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
  handle(input: Input, surroundings: Surroundings): Promise<Output>;
  say(output: Output, telling: Telling<Input>): string | readonly Part[];
  /** The refusal that an answer amounts to, when it says that nothing at all was done; `alone` when there is just one. */
  refusal?(
    output: Output,
  ): { readonly code: string; readonly message: string; readonly alone: boolean } | undefined;
  /** The batch of messages that the reply carries; it counts as read once the reply has reached the client. */
  batch?(output: Output): string | undefined;
  /** For a tool that opens requests for approval, about each of which the user of the client may be asked once. */
  readonly asksClient?: {
    /** The id of the request that the output leaves waiting. */
    waitsFor(output: Output): string | undefined;
    /** The same call once the user was asked: it is done if they agreed, and tells what became of the request if not. */
    again(input: Input, id: string): Input;
  };
  /** True when the reply tells the counts of the inbox itself, so that no line of news closes it. */
  readonly tellsNews?: boolean;
}

/** A tool whose types were checked where it was defined. */
export type AnyTool = Tool<never, never>;

export function defineTool<Input extends z.ZodObject, Output>(
  tool: Omit<Tool<z.infer<Input>, Output>, "input" | "output"> & {
    readonly input: Input;
    readonly output: z.ZodObject & z.ZodType<NoInfer<Output>>;
  },
): AnyTool {
  return tool as unknown as AnyTool;
}
