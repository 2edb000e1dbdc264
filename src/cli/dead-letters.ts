import { nearest } from "../addresses/index.js";
import type { House } from "../compose.js";
import * as mail from "../mailbox/index.js";
import { mailboxNamed } from "./mailbox-names.js";
import { printMessage } from "./message-lines.js";
import { NotThere } from "./not-there.js";
import { ago, onOneLine, plural, printJson, printLine, printTable } from "./print.js";
import { UsageError } from "./usage-error.js";
import { asOperator, lookInto, recordLook, type Switches, withHouse } from "./with-house.js";

interface Buried {
  readonly mailbox: string;
  readonly letter: mail.DeadLetter;
}

/** Lists what was given up, in all mailboxes or in one, latest first. */
export async function listDead(
  given: string | undefined,
  switches: Switches & { readonly limit?: number },
): Promise<void> {
  const limit = switches.limit ?? 50;
  const nothing = { found: [] as Buried[], total: 0, now: Date.now() };
  const { found, total, now } = await lookInto(switches, nothing, async (house) => {
    const mailboxes = await mailboxesMeant(house, given);
    await recordLook(house, "admin.dead-letters", given === undefined ? "*" : mailboxes[0]!);
    const all = await Promise.all(
      mailboxes.map(async (mailbox) => {
        const [letters, { dead }] = await Promise.all([
          mail.listDeadLetters(house.mail, house.config.namespace, mailbox, { limit }),
          mail.inspectMailbox(house.mail, house.config.namespace, mailbox),
        ]);
        return { dead, buried: letters.map((letter): Buried => ({ mailbox, letter })) };
      }),
    );
    const buried = all.flatMap((one) => one.buried);
    buried.sort((a, b) => b.letter.buriedAt - a.letter.buriedAt);
    return {
      found: buried.slice(0, limit),
      total: all.reduce((sum, { dead }) => sum + dead, 0),
      now: house.store.now(),
    };
  });
  if (switches.json) return printJson({ total, dead_letters: found.map(asJson) });
  if (found.length === 0) return printLine("No dead letters.");
  printTable(found, [
    { head: "ID", cell: ({ letter }) => letter.message.id },
    { head: "MAILBOX", cell: ({ mailbox }) => mailbox },
    { head: "FROM", cell: ({ letter }) => letter.message.from },
    { head: "BURIED", cell: ({ letter }) => ago(letter.buriedAt, now) },
    { head: "WHY", cell: ({ letter }) => reasonOf(letter) },
    { head: "TEXT", cell: ({ letter }) => onOneLine(letter.message.subject ?? letter.message.body, 40) },
  ]);
  if (total > found.length) printLine(`\n${found.length} of ${total} shown; --limit ${total} shows all.`);
}

/** Shows one dead letter whole. */
export async function inspectDead(id: string, switches: Switches): Promise<void> {
  const { found, now } = await withHouse(switches, async (house) => {
    const found = await lettersOf(house, undefined, [id]);
    for (const { mailbox } of found) await recordLook(house, "admin.dead-letters", mailbox);
    return { found, now: house.store.now() };
  });
  if (switches.json) return printJson(found.map(asJson));
  for (const { mailbox, letter } of found) {
    printLine(`Dead letter in ${mailbox}, buried ${ago(letter.buriedAt, now)}: ${reasonOf(letter)}.`);
    printMessage(letter.message);
  }
}

type Chosen = Switches & { readonly mailbox?: string; readonly all?: boolean; readonly yes?: boolean };

/** Puts dead letters back as if newly sent. */
export async function requeueDead(ids: readonly string[], switches: Chosen): Promise<void> {
  await settle(ids, switches, "requeue");
}

/** Removes dead letters for good. */
export async function purgeDead(ids: readonly string[], switches: Chosen): Promise<void> {
  if (switches.all && !switches.yes)
    throw new UsageError("purge --all removes every dead letter for good; add --yes to do it");
  await settle(ids, switches, "purge");
}

async function settle(ids: readonly string[], switches: Chosen, action: "requeue" | "purge"): Promise<void> {
  if (switches.all ? ids.length > 0 : ids.length === 0)
    throw new UsageError(
      `dead-letters ${action} takes the ids of messages, or --all; llm-mailbox dead-letters lists them`,
    );
  const act = action === "requeue" ? mail.requeueDeadLetters : mail.purgeDeadLetters;
  const done = await withHouse(switches, async (house) => {
    const counts = new Map<string, number>();
    const mailboxes = switches.all
      ? new Map((await mailboxesMeant(house, switches.mailbox)).map((name) => [name, [] as string[]]))
      : byMailbox(await lettersOf(house, switches.mailbox, ids));
    for (const [mailbox, chosen] of mailboxes) {
      const { done: count } = await asOperator(house, "admin.dead-letters", mailbox, (caller) =>
        act(house.mail, caller, mailbox, chosen),
      );
      if (count > 0) counts.set(mailbox, count);
    }
    return counts;
  });
  const word = action === "requeue" ? "requeued" : "purged";
  const total = [...done.values()].reduce((sum, count) => sum + count, 0);
  if (switches.json) return printJson({ [word]: total, mailboxes: Object.fromEntries(done) });
  if (total === 0) return printLine("No dead letters; nothing changed.");
  for (const [mailbox, count] of done) printLine(`${mailbox}: ${plural(count, "dead letter")} ${word}.`);
}

/** Dead letters are mail: that somebody looked is recorded. */
/** Where the named letters lie; refuses before anything is done when one of them is nowhere. */
async function lettersOf(
  house: House,
  mailbox: string | undefined,
  ids: readonly string[],
): Promise<readonly Buried[]> {
  const found = await mail.findDeadLetters(
    house.mail,
    house.config.namespace,
    await mailboxesMeant(house, mailbox),
    ids,
  );
  const known = new Set(found.map(({ letter }) => letter.message.id));
  const missing = ids.filter((id) => !known.has(id));
  if (missing.length > 0)
    throw new NotThere(
      `no dead letter ${missing.map((id) => onOneLine(id, 60)).join(", ")}${mailbox ? ` in ${onOneLine(mailbox, 80)}` : ""}; llm-mailbox dead-letters lists them`,
    );
  return found;
}

async function mailboxesMeant(house: House, given: string | undefined): Promise<readonly string[]> {
  const all = await house.directory.mailboxes(house.config.namespace);
  if (given === undefined) return all;
  const name = mailboxNamed(given);
  if (all.includes(name)) return [name];
  const meant = nearest(name, all) ?? (all.includes(`queue:${name}`) ? `queue:${name}` : undefined);
  throw new NotThere(
    `there is no mailbox ${name}${meant ? `; did you mean ${meant}?` : "; llm-mailbox agents and llm-mailbox queues list them"}`,
  );
}

function byMailbox(found: readonly Buried[]): Map<string, string[]> {
  const chosen = new Map<string, string[]>();
  for (const { mailbox, letter } of found)
    chosen.set(mailbox, [...(chosen.get(mailbox) ?? []), letter.message.id]);
  return chosen;
}

function reasonOf({ reason, said, failures }: mail.DeadLetter): string {
  const words = `${reason.replaceAll("_", " ")}${said ? `: ${onOneLine(said, 200)}` : ""}`;
  return failures > 0 ? `${words} (failed ${failures}×)` : words;
}

function asJson({ mailbox, letter }: Buried): object {
  const { message, reason, said, failures, buriedAt } = letter;
  return {
    mailbox,
    id: message.id,
    from: message.from,
    verified: message.verified,
    sent_at: new Date(message.sentAt).toISOString(),
    buried_at: new Date(buriedAt).toISOString(),
    reason,
    ...(said ? { said } : {}),
    failures,
    priority: message.priority,
    thread: message.thread,
    ...(message.subject ? { subject: message.subject } : {}),
    content_type: message.contentType,
    body: message.body,
    ...(message.data ? { data: message.data } : {}),
  };
}
