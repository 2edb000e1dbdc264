import type { Inbox } from "./contract.js";

/** Where a delivery was made: a mailbox name (`alice`, `queue:reviewers`) or a followed topic. */
export type Place = string | typeof topicPlace;
export const topicPlace = "topic";

/** What a look into an inbox takes with it and tells once. */
export type ToldOnce = Pick<Inbox, "gaps" | "collapsed" | "reminders">;

/** Most reminders in one answer. */
export const remindersShown = 5;

const nothingUntold: ToldOnce = { gaps: [], collapsed: [], reminders: [] };

interface Known {
  readonly place: Place;
  readonly thread: string;
  readonly origin: string;
  /** For an open job: when its claim ends, ms; prolonged by the run's calls. */
  claimedUntil: number | undefined;
}

const mostKnown = 2_000;
const mostTold = 50;

function withMore(
  untold: ToldOnce,
  { gaps = [], collapsed = [], reminders = [] }: Partial<ToldOnce>,
): ToldOnce {
  if (gaps.length + collapsed.length + reminders.length === 0) return untold;
  const missed = new Map(untold.gaps.map((gap) => [gap.topic, gap]));
  for (const gap of gaps) {
    const known = missed.get(gap.topic);
    const until = known && known.until > gap.until ? known.until : gap.until;
    missed.set(gap.topic, { ...gap, until, missed: gap.missed + (known?.missed ?? 0) });
  }
  const leftOut = new Map(untold.collapsed.map((one) => [one.topic, one]));
  for (const { topic, count } of collapsed)
    leftOut.set(topic, { topic, count: count + (leftOut.get(topic)?.count ?? 0) });
  const due = new Map([...untold.reminders, ...reminders].map((one) => [one.id, one]));
  return { gaps: [...missed.values()], collapsed: [...leftOut.values()], reminders: [...due.values()] };
}

/**
 * What this process remembers of one run between its calls. Losing it loses no mail: unconfirmed batches come again
 * when the run is over, and everything here can be found in the store.
 */
export class RunMemory {
  /** Batches handed to the face and not settled yet; whether each reached the client. */
  readonly #batches = new Map<string, { readonly places: Place[]; reached: boolean | undefined }>();
  readonly #known = new Map<string, Known>();
  /** Those of them that are jobs: looked through at every call. */
  readonly #jobs = new Set<string>();
  /** What the run last read: the cause of what it sends next. */
  cause: { readonly id: string; readonly origin: string } | undefined;
  /** Whether something may have arrived since the last count. */
  stale = true;
  /** Whether its agent follows anything, as far as this run has heard; undefined when it has to look. */
  follows: boolean | undefined;
  /** How often this run heard that topics, or what its agent follows, may have changed. */
  heard = 0;
  /** What the run was last told of its unread mail. */
  told = { unread: 0, urgent: 0 };
  /** What looks told that was in no answer: a wait went on, or was cut off. */
  #untold = nothingUntold;
  /** What answers told of which it is not known that they arrived, by their batch. */
  readonly #told = new Map<string, ToldOnce>();
  stopListening: (() => void) | undefined;
  readonly visited = new Set<string>();

  /** What the agent follows, or what is there for it, may have changed. */
  heardOfTopics(): void {
    this.follows = undefined;
    this.heard++;
  }

  /** Keeps what a look told for the answer in which it will stand. */
  keepUntold(told: Partial<ToldOnce>): void {
    this.#untold = withMore(this.#untold, told);
  }

  /** What was kept, for the answer that is given now: not more reminders than one answer shows. Undefined for nothing. */
  takeUntold(): ToldOnce | undefined {
    const { reminders, ...told } = this.#untold;
    if (reminders.length + told.gaps.length + told.collapsed.length === 0) return undefined;
    const left = reminders.slice(remindersShown);
    this.#untold = left.length > 0 ? { ...nothingUntold, reminders: left } : nothingUntold;
    return { ...told, reminders: reminders.slice(0, remindersShown) };
  }

  /** What the next answer would tell of these gaps and of what was kept: only shown, and kept as it was. */
  showUntold(gaps: ToldOnce["gaps"]): ToldOnce {
    const { reminders, ...told } = withMore(this.#untold, { gaps });
    return { ...told, reminders: reminders.slice(0, remindersShown) };
  }

  /** What an answer told: if it reaches nobody, it is told again. */
  toldWith(batch: string, told: ToldOnce): void {
    this.#told.set(batch, told);
    // Of an answer to a client without a session nobody hears that it arrived.
    if (this.#told.size > mostTold) this.#told.delete(this.#told.keys().next().value!);
  }

  /** Nobody has to be reminded of it any more. */
  settled(id: string): void {
    const without = (told: ToldOnce): ToldOnce => ({
      ...told,
      reminders: told.reminders.filter((one) => one.id !== id),
    });
    if (this.#untold.reminders.length > 0) this.#untold = without(this.#untold);
    for (const [batch, told] of this.#told)
      if (told.reminders.length > 0) this.#told.set(batch, without(told));
  }

  delivered(batch: string, place: Place): void {
    const entry = this.#batches.get(batch);
    if (!entry) this.#batches.set(batch, { places: [place], reached: undefined });
    else if (!entry.places.includes(place)) entry.places.push(place);
  }

  confirm(batch: string, reached: boolean): void {
    const entry = this.#batches.get(batch);
    if (entry) entry.reached = reached;
    const told = this.#told.get(batch);
    this.#told.delete(batch);
    if (told && !reached) this.keepUntold(told);
  }

  /** Where the messages of a page come from. */
  placesOf(batch: string): readonly Place[] {
    return [...(this.#batches.get(batch)?.places ?? [])];
  }

  /** Batches of this place by what is known of them; `after` names one a client without a session has seen. */
  batches(place: Place, after: string | undefined): { seen: string[]; unseen: string[] } {
    const seen: string[] = after ? [after] : [];
    const unseen: string[] = [];
    for (const [batch, { places, reached }] of this.#batches) {
      if (!places.includes(place) || batch === after) continue;
      if (reached === true) seen.push(batch);
      if (reached === false) unseen.push(batch);
    }
    return { seen, unseen };
  }

  dropBatches(place: Place, batches: readonly string[]): void {
    for (const batch of batches) {
      const places = this.#batches.get(batch)?.places;
      const at = places?.indexOf(place) ?? -1;
      if (!places || at < 0) continue;
      places.splice(at, 1);
      if (places.length === 0) this.#batches.delete(batch);
    }
  }

  know(id: string, known: Known): void {
    this.#known.delete(id);
    this.#known.set(id, known);
    if (known.claimedUntil === undefined) this.#jobs.delete(id);
    else this.#jobs.add(id);
    if (this.#known.size <= mostKnown) return;
    const oldest = this.#known.keys().next().value!;
    this.#known.delete(oldest);
    this.#jobs.delete(oldest);
  }

  known(id: string): Known | undefined {
    return this.#known.get(id);
  }

  get hasJobs(): boolean {
    return this.#jobs.size > 0;
  }

  /** Open jobs whose claim ends before the given time, by mailbox. */
  jobsEndingBefore(timeMs: number): ReadonlyMap<Place, string[]> {
    const jobs = new Map<Place, string[]>();
    for (const id of this.#jobs) {
      const { place, claimedUntil } = this.#known.get(id)!;
      if (claimedUntil !== undefined && claimedUntil < timeMs)
        jobs.set(place, [...(jobs.get(place) ?? []), id]);
    }
    return jobs;
  }
}
