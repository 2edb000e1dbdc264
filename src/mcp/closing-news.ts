import { visible } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import type { LockNews } from "../locks/index.js";
import type { Duty } from "../policy/index.js";
import type { Connection } from "./connection.js";
import type { Exchange } from "./exchange.js";
import { lockLine } from "./lock-line.js";
import { clip } from "./reply.js";

/** What closes a reply, and is said nowhere else. */
export interface Closing {
  /** As it is shown: whole lines, in a half of a reply at most, but for circles and what rules want done. */
  readonly text: string;
  /** That nobody got the reply: what it told of locks, and what rules want done, is told again. */
  unread(): void;
}

/** Most characters for what may be cut, because it can be asked for again. */
const mostOfOthers = 3_000;
/** From here on a line names less of what each lock was for. */
const mostOfLocks = 4_000;
/** A refusal is held up no longer than that by a store that does not answer. */
const mostMs = 2_000;

/**
 * What happened since the last reply: what rules want done along with the call, mail, unless the reply told of it, and the
 * run's own locks. It is an extra: it never fails the call that it closes. What it tells of locks is told once, so it is
 * never cut, and told again where the reply did not reach its client; so is what rules want done.
 */
export async function closingNews(
  connection: Connection,
  caller: Caller,
  { tellsMail, exchange }: { readonly tellsMail: boolean; readonly exchange: Exchange },
): Promise<Closing> {
  const { mail, locks, policy } = connection.rooms;
  const others: string[] = [];
  let duties: readonly Duty[] = [];
  let ofLocks: readonly LockNews[] = [];
  try {
    duties = await policy.news(caller);
    for (const { action, obligations } of duties)
      others.push(`policy: with ${action} you have to: ${obligations.join("; ")}`);
    const news = tellsMail ? undefined : await mail.news(caller);
    if (news) others.push(`mail: ${news.unread} unread${news.urgent ? `, ${news.urgent} urgent` : ""}`);
    ofLocks = await locks.news(caller);
  } catch (err) {
    connection.log.warn({ err }, "no news");
  }
  const again = (): void => {
    policy.keepNews(caller, duties);
    if (ofLocks.length > 0) locks.keepNews(caller, ofLocks);
  };
  const unread = duties.length + ofLocks.length === 0 ? () => undefined : againUnlessReached(exchange, again);
  const lines = [
    ...others.map((line) => visible(line)),
    ...ofLocks.filter(isCircle).map((one) => lockLine(one)),
  ];
  const text = [clip(lines.join("\n"), mostOfOthers), linesOf(ofLocks.filter((one) => !isCircle(one)))];
  return { text: text.filter(Boolean).join("\n"), unread };
}

/** What a reply tells of locks is told again where it does not reach its client. The answer says that it did not. */
export function toldBy(
  exchange: Exchange,
  { rooms }: Connection,
  caller: Caller,
  news: readonly LockNews[],
): () => void {
  return againUnlessReached(exchange, () => rooms.locks.keepNews(caller, news));
}

/** The answer says that the reply did not reach its client. */
function againUnlessReached(exchange: Exchange, again: () => void): () => void {
  let kept = false;
  const unread = (): void => {
    if (!kept) again();
    kept = true;
  };
  exchange.onSettled((reached) => (reached ? undefined : unread()));
  return unread;
}

/** The same for a refusal, which goes without it where the store takes more than 2 s: then the next reply tells it. */
export async function closingOfRefusal(
  ...given: Parameters<typeof closingNews>
): Promise<Closing | undefined> {
  const asked = closingNews(...given);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, mostMs, undefined);
  });
  const closing = await Promise.race([asked, late]).finally(() => clearTimeout(timer));
  if (!closing) void asked.then(({ unread }) => unread());
  return closing;
}

function isCircle({ what }: LockNews): boolean {
  return what === "circle";
}

function linesOf(news: readonly LockNews[]): string {
  const lines = news.map((one) => lockLine(one)).join("\n");
  return visible(lines.length <= mostOfLocks ? lines : news.map((one) => lockLine(one, 1)).join("\n"), "\n");
}
