import { loadScript, mailboxKeys } from "../redis/index.js";
import { releaseRefused } from "./attachment-references.js";
import type { MailContext } from "./context.js";
import type { Posting } from "./insert-message.js";
import { addresseesText, parseAddressees } from "./note-send.js";
import { priorities } from "./priorities.js";

const noteRecall = loadScript(import.meta.url, "note-recall.lua");

/**
 * Notes in a sender's mailbox from whom its message was taken back, strikes off what waits there who would not be given it
 * any more, and keeps what nobody has. Safe to repeat.
 *
 * @param recalled from whom it was taken back
 * @param withdrawn those of them for whom it waited in the sender's outbox
 * @param posting what waited there
 */
export async function noteRecalled(
  context: MailContext,
  namespace: string,
  sender: string,
  id: string,
  recalled: readonly string[],
  withdrawn: readonly string[],
  posting: Posting | undefined,
): Promise<void> {
  const { store } = context.deps;
  const own = mailboxKeys(namespace, sender);
  const message = withdrawn.length > 0 ? posting?.message : undefined;
  if (message) await releaseRefused(context, namespace, message, withdrawn);
  const noted = String((await store.command("HGET", own.sentTo, id)) ?? "");
  const marked = parseAddressees(noted).map((one) =>
    recalled.includes(one.to) ? ({ to: one.to, mark: "recalled" } as const) : one,
  );
  await store.run(
    noteRecall,
    [own.meta, own.messages, own.deliveries, own.settled, own.outbox, own.sentTo],
    [
      id,
      addresseesText(marked),
      withdrawn.join(","),
      message ? JSON.stringify(message) : "",
      message ? posting!.bytes : 0,
      message ? priorities.indexOf(message.priority) : 0,
      sender,
      message?.thread ?? "",
    ],
  );
}
