import { formatAddress, parseAddress } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Admission, Caller } from "../identity/index.js";
import type { MailboxName } from "../redis/index.js";
import type { MailContext } from "./context.js";
import type { DeadLetters, ManageDeadLetters } from "./contract.js";
import { type DeadLetter, listDeadLetters, purgeDeadLetters, requeueDeadLetters } from "./dead-letters.js";
import { findDeadLetters } from "./find-dead-letters.js";
import { noteCall } from "./note-call.js";
import { envelope } from "./show-delivery.js";

const excerptChars = 300;

/**
 * Lists, requeues or purges what was given up, in one mailbox or queue, or in all of them. Safe to repeat: a letter that
 * is no longer dead is left as it is.
 *
 * @throws {MailboxError} `access.denied`, `address.invalid`, `input.invalid`, `mailbox.rate_limited`, `store.*`
 */
export async function manageDeadLetters(
  context: MailContext,
  caller: Caller,
  input: ManageDeadLetters,
): Promise<DeadLetters> {
  await noteCall(context, caller);
  const place = input.mailbox === undefined ? undefined : placeOf(input.mailbox);
  const admission = await context.deps.admit(caller, "admin.dead-letters", place ?? "*");
  const { namespace } = caller.principal;
  const places = place === undefined ? await context.deps.directory.mailboxes(namespace) : [place];
  if (input.action === "list") {
    await context.deps.record(caller, admission);
    return list(context, namespace, places, input.limit ?? 20);
  }
  const ids = [...new Set(input.ids ?? [])];
  if (input.all ? ids.length > 0 : ids.length === 0)
    refuse("input.invalid", { problem: `${input.action} takes ids, or all: true for every one of mailbox` });
  if (input.all && place === undefined)
    refuse("input.invalid", { problem: "all: true goes with the mailbox whose dead letters are meant" });
  return settle(context, caller, places, input.action, ids, admission);
}

async function list(
  context: MailContext,
  namespace: string,
  places: readonly MailboxName[],
  limit: number,
): Promise<DeadLetters> {
  const found = await Promise.all(
    places.map(async (mailbox) =>
      (await listDeadLetters(context, namespace, mailbox, { limit: limit + 1 })).map((letter) => ({
        mailbox,
        letter,
      })),
    ),
  );
  const all = found.flat().sort((a, b) => b.letter.buriedAt - a.letter.buriedAt);
  return {
    letters: all.slice(0, limit).map(({ mailbox, letter }) => shownLetter(mailbox, letter)),
    more: all.length > limit,
    done: 0,
    missing: [],
  };
}

/** Each mailbox is decided about by itself, and recorded where its letters are. */
async function settle(
  context: MailContext,
  caller: Caller,
  places: readonly MailboxName[],
  action: "requeue" | "purge",
  ids: readonly string[],
  admission: Admission,
): Promise<DeadLetters> {
  const { namespace } = caller.principal;
  const act = action === "requeue" ? requeueDeadLetters : purgeDeadLetters;
  const chosen = new Map<MailboxName, readonly string[]>();
  if (ids.length === 0) for (const place of places) chosen.set(place, []);
  const found = await findDeadLetters(context, namespace, places, ids);
  for (const { mailbox, letter } of found)
    chosen.set(mailbox, [...(chosen.get(mailbox) ?? []), letter.message.id]);
  let done = 0;
  for (const [mailbox, some] of chosen) done += (await act(context, caller, mailbox, some)).done;
  if (chosen.size === 0) await context.deps.record(caller, admission);
  const known = new Set(found.map(({ letter }) => letter.message.id));
  return { letters: [], more: false, done, missing: ids.filter((id) => !known.has(id)) };
}

function placeOf(given: string): MailboxName {
  const address = parseAddress(given);
  if (address.kind !== "agent" && address.kind !== "queue")
    refuse("input.invalid", { problem: "mailbox is an agent or a queue such as queue:reviewers" });
  return formatAddress(address);
}

function shownLetter(mailbox: MailboxName, letter: DeadLetter): DeadLetters["letters"][number] {
  const { id, from, verified, sent_at, subject } = envelope(letter.message);
  return {
    ...{ id, mailbox, from, verified, sent_at },
    buried_at: new Date(letter.buriedAt).toISOString(),
    reason: letter.reason.replaceAll("_", " "),
    failures: letter.failures,
    ...(letter.said ? { said: letter.said } : {}),
    ...(subject ? { subject } : {}),
    excerpt: letter.message.body.slice(0, excerptChars),
  };
}
