import { parseAddress, parsePattern } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { ReadInbox } from "./contract.js";
import type { FeedFilter } from "./feed.js";
import { priorities } from "./priorities.js";

/** @throws {MailboxError} `address.invalid`, `address.pattern_invalid`, `input.invalid` */
export function filterOf(input: ReadInbox): FeedFilter {
  const sender = input.sender === undefined ? undefined : parseAddress(input.sender);
  if (sender && sender.kind !== "agent")
    refuse("input.invalid", { problem: "sender is the name of an agent" });
  return {
    minPriority: input.min_priority ? priorities.indexOf(input.min_priority) : 0,
    ...(sender ? { sender: sender.name } : {}),
    ...(input.topic === undefined ? {} : { topic: parsePattern(input.topic) }),
    ...(input.thread === undefined ? {} : { thread: input.thread }),
  };
}

/** The one agent whose mail a read waits for; undefined where it does not wait, or for anybody's. */
export function awaitedSender(input: ReadInbox): string | undefined {
  return input.wait_seconds && input.sender !== undefined ? filterOf(input).sender : undefined;
}
