import { parseTopic, rootOf } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript, topicRootKeys } from "../redis/index.js";
import type { TopicContext } from "./context.js";
import type { PublishOperation } from "./publish-message.js";

const withdrawScript = loadScript(import.meta.url, "withdraw-message.lua");

/**
 * Has a message that waits to be published not be published by that operation any more, whoever is about to. Answers
 * false when the topic has it already. Safe to repeat.
 *
 * @throws {MailboxError} `access.denied`
 */
export async function withdrawMessage(
  context: TopicContext,
  caller: Caller,
  topic: string,
  operation: PublishOperation,
): Promise<boolean> {
  const name = parseTopic(topic);
  const { row } = await context.admit(caller, "admin.topics", `topic:${name}`);
  const { namespace } = caller.principal;
  const root = rootOf(name);
  await context.registerRoot(namespace, root);
  const keys = topicRootKeys(namespace, root);
  const [word] = await context.store.run(
    withdrawScript,
    [keys.operations, keys.operationExpiry, keys.audit],
    [operation.key, operation.digest, operation.attempt, operation.keepMs, row],
  );
  return word === "WITHDRAWN";
}
