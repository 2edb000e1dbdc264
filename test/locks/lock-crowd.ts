import { covers, overlaps, parseResources, type Resource } from "../../src/addresses/index.js";

/** How a member of the crowd calls a tool. An `Error` whose message begins with a code is a refusal. */
export type CallTool = (agent: string, tool: string, input: object) => Promise<Record<string, unknown>>;

/** What an agent was told of a lease, and what it did. Times by the store's clock, which is the one of this machine. */
export interface Told {
  readonly agent: string;
  readonly id: string;
  readonly token: number;
  readonly mode: string;
  readonly resources: readonly Resource[];
  readonly from: number;
  /** Until when it may rely on it: what it was told, or when it began to give it back. */
  until: number;
}

const names = ["src/a.ts", "src/b.ts", "src/lib/c.ts", "db:users", "db:orders", "x"];
const patterns = ["src/**", "src/*", "src/lib/**", "db:*", "**/c.ts"];

/** Every resource is written to in an entry of its own, all of one group: their versions tell which write came first. */
const group = "written";

/** What became of a write: accepted, refused for its token, or nobody knows. */
export type WriteOutcome = "written" | "refused" | "unknown";

/** Of the next of some agents that gets something to write. */
interface Sleep {
  readonly agents: readonly string[];
  readonly begin: (goOn: () => Promise<WriteOutcome>) => void;
}

export interface CrowdOptions {
  readonly leaseSeconds: number;
  readonly waitSeconds: number;
  /** Longest time a lease is kept, ms. */
  readonly keepMs: number;
  readonly random?: () => number;
}

/**
 * Agents that lock overlapping things in every way there is, write under what they got, forget to release, come late, try
 * what is not theirs, and write down what they were answered.
 */
export class LockCrowd {
  readonly wrong: string[] = [];
  readonly told: Told[] = [];
  calls = 0;
  cuts = 0;
  granted = 0;
  deadlocks = 0;
  writes = 0;
  /** Writes that the product refused because the lease was over, or a newer token had been seen. */
  staleWrites = 0;
  /** Leases and places that were given back, as they were answered. */
  readonly released: string[] = [];
  readonly #tried: { readonly resource: Resource; readonly token: number }[] = [];
  readonly #sleeps = new Set<Sleep>();
  /** What somebody has who waits, and what it waits for. */
  #overtake: readonly string[] | undefined;
  /** agent → what its last call was refused with */
  readonly #refusals = new Map<string, string>();
  readonly #ids = new Set<string>();
  /** agent → how often its run ended: what was its own is another run's then */
  readonly #lives = new Map<string, number>();
  readonly #call: CallTool;
  readonly #options: CrowdOptions;
  readonly #loops: Promise<void>[] = [];
  #going = true;

  constructor(call: CallTool, options: CrowdOptions) {
    this.#call = call;
    this.#options = options;
  }

  begin(agents: readonly string[]): void {
    for (const agent of agents) this.#loops.push(this.#live(agent));
  }

  async finish(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
  }

  /** The process of these agents died: they rely on nothing they were told any more. */
  died(agents: readonly string[]): void {
    const now = Date.now();
    for (const agent of agents) this.#lives.set(agent, (this.#lives.get(agent) ?? 0) + 1);
    for (const one of this.told) if (agents.includes(one.agent)) one.until = Math.min(one.until, now);
  }

  /**
   * The next of these agents that gets a lease to write under keeps it, until it is told to go on: then it writes, whatever
   * has become of the lease. Undefined when none of them gets one in this time.
   */
  async holder(
    agents: readonly string[],
    withinMs: number,
  ): Promise<(() => Promise<WriteOutcome>) | undefined> {
    let sleep: Sleep | undefined;
    const began = new Promise<() => Promise<WriteOutcome>>((begin) => {
      sleep = { agents, begin };
      this.#sleeps.add(sleep);
    });
    const goOn = await Promise.race([began, pause(withinMs)]);
    this.#sleeps.delete(sleep!);
    return goOn ?? undefined;
  }

  /** Entries of state that may have been written to. */
  entries(): readonly string[] {
    return [...new Set(this.#tried.map(({ resource }) => entryOf(resource)))];
  }

  /** Every agent gets its turn at the same thing. @returns those that did not, within the time. */
  async everyoneServed(agents: readonly string[], withinMs: number): Promise<readonly string[]> {
    const until = Date.now() + withinMs;
    const late: string[] = [];
    await Promise.all(agents.map((agent) => this.#letGo(agent)));
    // What nobody gives back ends by itself.
    await this.#try(agents[0]!, "acquire_lock", { resources: ["forgotten"], lease_seconds: 1 });
    await Promise.all(
      agents.map(async (agent) => {
        while (Date.now() < until) {
          const lease = await this.#try(agent, "acquire_lock", {
            resources: ["**"],
            lease_seconds: this.#options.leaseSeconds,
            wait_seconds: 5,
          });
          if ((lease?.state === "granted" || lease?.state === "already_held") && Date.now() < until) {
            await this.#release(agent, String(lease.lock_id));
            return;
          }
          await pause(20);
        }
        late.push(agent);
      }),
    );
    return late;
  }

  /** Leases that two agents could rely on at one instant, and tokens that came twice. */
  overlapping(): string[] {
    const found: string[] = [];
    const told = [...this.told].sort((a, b) => a.from - b.from);
    for (const [n, one] of told.entries())
      for (const other of told.slice(n + 1)) {
        if (other.from >= one.until) {
          if (other.from > one.until + 60_000) break;
          continue;
        }
        if (one.id === other.id || one.agent === other.agent) continue;
        if (one.mode === "shared" && other.mode === "shared") continue;
        if (one.resources.some((a) => other.resources.some((b) => overlaps(a, b))))
          found.push(
            `${one.agent} could rely on ${one.resources.join()} until ${one.until}, ${other.agent} on ${other.resources.join()} from ${other.from}`,
          );
      }
    const tokens = new Map<number, string>();
    for (const { token, id } of told) {
      if ((tokens.get(token) ?? id) !== id) found.push(`the token ${token} was given twice`);
      tokens.set(token, id);
    }
    return found;
  }

  async #live(agent: string): Promise<void> {
    while (this.#going) {
      const what = this.#random();
      if (what < 0.15) await this.#steal(agent);
      else if (what < 0.2) await this.#try(agent, "list_locks", {});
      if (this.#overtake) await this.#moveUp(agent);
      await this.#lock(agent);
    }
  }

  async #lock(agent: string): Promise<void> {
    const count = 1 + Math.floor(this.#random() * 2);
    const resources = Array.from({ length: count }, () =>
      this.#pick(this.#random() < 0.6 ? names : patterns),
    );
    const mode = this.#random() < 0.35 ? "shared" : "exclusive";
    const wish = {
      resources,
      mode,
      lease_seconds: this.#options.leaseSeconds + (this.#random() < 0.25 ? 1 : 0),
    };
    const asks = { ...wish, priority: Math.floor(this.#random() * 4), ...this.#waits(0.6) };
    const circles = this.deadlocks;
    let askedAt = Date.now();
    // In which life it got its place: the next one asks anew, also where it began while the agent did nothing.
    let life = this.#lives.get(agent);
    let answer = await this.#try(agent, "acquire_lock", asks);
    if (!answer && this.deadlocks > circles) await this.#letGo(agent);
    for (let tries = 0; answer?.state === "queued" && this.#going; tries++) {
      const ticket = String(answer.ticket);
      this.#ids.add(ticket);
      const what = this.#random();
      if (what < 0.1 || tries > 20) return void (await this.#release(agent, ticket));
      if (what < 0.3) await pause(this.#random() * 60);
      // Long enough to miss an offer.
      if (what > 0.95) await pause(250 + this.#random() * 400);
      const again = what < 0.5 ? { ...wish, priority: Math.floor(this.#random() * 10) } : { ticket };
      const lifeBefore = life;
      life = this.#lives.get(agent);
      askedAt = Date.now();
      answer = await this.#try(agent, "acquire_lock", { ...again, ...this.#waits(0.7) });
      if (answer?.state === "queued" && answer.ticket !== ticket && lifeBefore === this.#lives.get(agent))
        this.wrong.push(`${agent} waited with ${ticket} and got another place`);
    }
    if (answer?.state === "granted") await this.#hold(agent, mode, answer);
    if (answer?.state === "already_held") {
      this.#checkHeld(agent, resources, mode, answer, askedAt);
      const [first] = (answer.leases as Record<string, unknown>[] | undefined) ?? [answer];
      await this.#hold(agent, mode, { ...first, state: "already_held" });
    }
  }

  /** Gives back what it forgot, and leaves the queues of which it never heard: what a refusal for a circle asks for. */
  async #letGo(agent: string): Promise<void> {
    const list = (await this.#try(agent, "list_locks", {})) as
      | { holders: { agent: string; lock_id: string }[]; waiters: { agent: string; ticket: string }[] }
      | undefined;
    const own = [
      ...(list?.holders ?? []).map((one) => ({ agent: one.agent, id: one.lock_id })),
      ...(list?.waiters ?? []).map((one) => ({ agent: one.agent, id: one.ticket })),
    ].filter((one) => one.agent === agent);
    for (const { id } of own) {
      const lease = this.told.find((one) => one.id === id);
      if (lease) lease.until = Math.min(lease.until, Date.now());
      await this.#release(agent, id);
    }
    await pause(10);
  }

  async #hold(agent: string, mode: string, answer: Record<string, unknown>): Promise<void> {
    const lease = toldOf(agent, mode, answer);
    // Its mode is that of the lease, which may be the stronger one of an earlier wish.
    if (answer.state === "already_held") {
      const earlier = this.told.find(({ id, agent: who }) => id === lease.id && who === agent);
      if (earlier && earlier.token !== lease.token)
        this.wrong.push(`${agent}: another token for ${lease.id}`);
      if (earlier && earlier.until > Date.now()) earlier.until = Math.max(earlier.until, lease.until);
    } else {
      this.#note(lease);
    }
    const told = this.told.find(({ id }) => id === lease.id) ?? lease;
    // What is asked again is prolonged, and is still to end by itself where it is forgotten.
    const brief = { lease_seconds: this.#options.leaseSeconds };
    const what = this.#random();
    if (what < 0.2) {
      const again = await this.#try(agent, "acquire_lock", {
        ...{ ...brief, resources: told.resources, mode: told.mode },
      });
      if (again && Date.now() < told.until - 50 && !this.#hasDied(told)) {
        if (again.state !== "already_held" || again.lock_id !== told.id || again.token !== told.token)
          this.wrong.push(`${agent} asked again for ${told.id} and was told ${JSON.stringify(again)}`);
        else told.until = Math.max(told.until, Date.parse(String(again.expires_at)));
      }
    }
    if (what > 0.28 && what < 0.42) await this.#waitForMore(told);
    if (what > 0.42 && what < 0.57) await this.#askForMore(told);
    if (what > 0.6 && what < 0.7) {
      const others = [this.#pick(names), this.#pick(patterns)].slice(0, this.#random() < 0.5 ? 1 : 2);
      const parts = [told.resources.slice(0, 1), told.resources.map(wider), others];
      const part = parts[Math.floor(this.#random() * 3)]!;
      // More than its own mode allows, rather than as much.
      const mode = this.#random() < (told.mode === "shared" ? 0.2 : 0.5) ? "shared" : "exclusive";
      const askedAt = Date.now();
      const has = await this.#try(agent, "acquire_lock", { ...brief, resources: part, mode });
      if (has?.state === "already_held") this.#checkHeld(agent, part, mode, has, askedAt);
      else if (has) await this.#release(agent, String(has.lock_id ?? has.ticket));
    }
    if (what > 0.7) {
      const renewed = await this.#try(agent, "acquire_lock", { lock_id: told.id, lease_seconds: 1 });
      const until = Date.parse(String(renewed?.expires_at));
      if (renewed?.state === "renewed" && !this.#hasDied(told)) {
        if (until < told.until - 50) this.wrong.push(`${told.id} was renewed and got shorter`);
        told.until = Math.max(told.until, until);
      }
    }
    const sleep = [...this.#sleeps].find(({ agents }) => agents.includes(agent));
    if (sleep && told.mode === "exclusive") {
      this.#sleeps.delete(sleep);
      await new Promise<void>((isOver) => {
        sleep.begin(async () => {
          const outcome = await this.#write(told);
          isOver();
          return outcome;
        });
      });
    }
    await pause(this.#random() * this.#options.keepMs);
    if (what > 0.2 && what < 0.23) return; // forgotten: its lease ends by itself
    if (what > 0.23 && what < 0.26) {
      // Just over, and where it rests it still does.
      await pause(Math.max(told.until - Date.now(), 0) + 20 + this.#random() * 100);
      await this.#try(agent, "acquire_lock", { lock_id: told.id });
    }
    await this.#write(told);
    await this.#giveBack(agent, told);
  }

  /** Whoever holds something may ask for more of it: its own requests are not in its way. */
  async #askForMore(told: Told): Promise<void> {
    const { agent } = told;
    const isWider = this.#random() < 0.6;
    const own = isWider ? told.resources.map(wider) : told.resources;
    const brief = { lease_seconds: this.#options.leaseSeconds };
    const more = await this.#try(agent, "acquire_lock", {
      ...{ ...brief, resources: [...own, `of/${agent}`] },
      ...{ priority: 10, ...this.#waits(0.3) },
    });
    if (more?.state === "queued") await this.#release(agent, String(more.ticket));
    if (more?.state !== "granted") return;
    const newer = toldOf(agent, "exclusive", more);
    this.#note(newer);
    if (this.#random() < 0.6) {
      const newest = await this.#try(agent, "acquire_lock", {
        ...{ ...brief, resources: told.resources, mode: told.mode },
      });
      const isCovered = told.resources.every((one) => own.some((other) => covers(other, one)));
      const isLive = newer.until > Date.now() + 50;
      if (newest?.state === "already_held" && newest.lock_id !== newer.id && isCovered && isLive)
        this.wrong.push(`${agent} has ${newer.id} and was told of an older lease`);
    }
    // Once it has written with the newer token, its older one is good for nothing, although its lease goes on.
    for (const resource of own) await this.#put(resource, newer);
    await this.#write(told);
    newer.until = Math.min(newer.until, Date.now());
    await this.#release(agent, newer.id);
  }

  /** It waits for other things while it has something, and may move up, or see others move up. */
  async #waitForMore({ agent, resources: [first] }: Told): Promise<void> {
    const wanted = this.#pick(names);
    const asks = {
      resources: [wanted, ...(this.#random() < 0.3 ? [this.#pick(patterns)] : [])],
      ...{ lease_seconds: this.#options.leaseSeconds, priority: 6 },
    };
    let answer = await this.#try(agent, "acquire_lock", asks);
    const ticket = answer?.state === "queued" ? String(answer.ticket) : undefined;
    if (ticket) {
      const isOvertaken = this.#random() < 0.7;
      if (isOvertaken) this.#overtake = [first!, wanted];
      await pause(this.#random() * 60 + (isOvertaken ? 100 : 0));
      const priority = isOvertaken ? 6 : 10;
      answer = await this.#try(agent, "acquire_lock", { ...asks, priority });
      await pause(this.#random() * 30);
    }
    if (answer?.state === "granted") await this.#release(agent, String(answer.lock_id));
    else if (ticket) await this.#release(agent, ticket);
  }

  /** It waits for who has one of two things and waits for the other, and moves up before that one: a circle, to be refused. */
  async #moveUp(agent: string): Promise<void> {
    const asks = { resources: this.#overtake, lease_seconds: this.#options.leaseSeconds };
    this.#overtake = undefined;
    let answer = await this.#try(agent, "acquire_lock", { ...asks, priority: 0 });
    const ticket = answer?.state === "queued" ? String(answer.ticket) : undefined;
    if (ticket) answer = await this.#try(agent, "acquire_lock", { ...asks, priority: 10 });
    if (answer?.state === "granted") await this.#release(agent, String(answer.lock_id));
    else if (ticket) await this.#release(agent, ticket);
  }

  #note(lease: Told): void {
    this.granted++;
    this.#ids.add(lease.id);
    this.told.push(lease);
  }

  /** What is said to be held already is held, all of it, as strongly, and with the newest token there is for it. */
  #checkHeld(
    agent: string,
    asked: readonly string[],
    mode: string,
    answer: Record<string, unknown>,
    askedAt: number,
  ): void {
    const say = (problem: string): void => {
      this.wrong.push(`${agent} asked for ${asked.join()}, ${mode}: ${problem}: ${JSON.stringify(answer)}`);
    };
    const leases = (answer.leases as Record<string, unknown>[] | undefined) ?? [answer];
    const resources = parseResources(asked as string[]);
    const covered = leases.flatMap((one) => (one.covers as Resource[] | undefined) ?? resources);
    if (resources.some((one) => !covered.includes(one))) say("not all of it is held");
    for (const one of leases) {
      const parts = (one.covers as Resource[] | undefined) ?? resources;
      const has = (lease: readonly Resource[], part: Resource) => lease.some((own) => covers(own, part));
      if (parts.some((part) => !has(one.resources as Resource[], part))) say("it is not covered");
      if (Date.parse(String(one.expires_at)) < askedAt + 500) say("it was not prolonged");
      const told = this.told.find(({ id, agent: who }) => id === one.lock_id && who === agent);
      if (told && told.mode === "shared" && mode === "exclusive") say("it is held in a weaker mode");
      const newer = this.told.find(
        (other) =>
          other.agent === agent &&
          other.token > Number(one.token) &&
          other.until > Date.now() + 50 &&
          (other.mode === "exclusive" || mode === "shared") &&
          parts.some((part) => has(other.resources, part)),
      );
      if (newer) say(`${newer.id} is newer`);
    }
  }

  async #giveBack(agent: string, lease: Told): Promise<void> {
    if (this.#random() < 0.3) {
      const verdict = await this.#try(agent, "verify_token", {
        resource: lease.resources[0],
        token: lease.token,
      });
      const isLive = Date.now() < lease.until - 50 && !this.#hasDied(lease);
      if (verdict && isLive && !verdict.valid) this.wrong.push(`the token of ${lease.id} is not valid`);
      const [other] = parseResources([this.#pick(this.#random() < 0.7 ? patterns : names)]);
      if (!lease.resources.some((own) => covers(own, other!))) await this.#overreach(agent, other!, lease);
    }
    lease.until = Math.min(lease.until, Date.now());
    await this.#release(agent, lease.id);
    if (this.#random() < 0.2) {
      const again = await this.#try(agent, "release_lock", { lock_id: lease.id });
      if (again && again.state !== "gone" && !this.cuts) this.wrong.push(`${lease.id} was released twice`);
    }
  }

  /** A token is good for what its lease covers, and not for what that overlaps. */
  async #overreach(agent: string, resource: Resource, { id, token }: Told): Promise<void> {
    const verdict = await this.#try(agent, "verify_token", { resource, token });
    if (verdict?.valid) this.wrong.push(`the token of ${id} is said to be good for ${resource}`);
    if (this.#random() < 0.5) return;
    const written = await this.#try(agent, "put_state", writing(resource, token));
    if (written) this.wrong.push(`${agent} wrote ${resource} with the token of ${id}`);
  }

  async #release(agent: string, id: string): Promise<void> {
    const answer = await this.#try(agent, "release_lock", { lock_id: id });
    if (answer?.state === "released" || answer?.state === "left_queue") this.released.push(id);
  }

  /** Writes under a lease to all that it is for, as far as it knows. */
  async #write(lease: Told): Promise<WriteOutcome> {
    let outcome: WriteOutcome = "unknown";
    if (lease.mode === "exclusive")
      for (const resource of lease.resources) outcome = await this.#put(resource, lease);
    return outcome;
  }

  async #put(resource: Resource, lease: Told): Promise<WriteOutcome> {
    const { agent, id, token } = lease;
    const isOlder = this.#tried.some((one) => one.token > token && overlaps(one.resource, resource));
    this.#tried.push({ resource, token });
    const answer = await this.#try(agent, "put_state", writing(resource, token));
    const isRefused = this.#refusals.get(agent) === "lock.stale_token";
    if (answer) this.writes++;
    if (isRefused) this.staleWrites++;
    const isLive = this.told.includes(lease) && Date.now() < lease.until - 50;
    if (isRefused && !isOlder && isLive)
      this.wrong.push(`${agent} could not write ${resource} with ${token}, under ${id}`);
    return answer ? "written" : isRefused ? "refused" : "unknown";
  }

  /** What belongs to another agent cannot be given back, renewed or taken over. */
  async #steal(agent: string): Promise<void> {
    const theirs = this.told.filter((one) => one.agent !== agent && one.until > Date.now() + 20).at(-1);
    if (!theirs) return;
    const released = await this.#try(agent, "release_lock", { lock_id: theirs.id });
    if (released && released.state !== "gone")
      this.wrong.push(`${agent} released ${theirs.id} of ${theirs.agent}: ${JSON.stringify(released)}`);
    const renewed = await this.#try(agent, "acquire_lock", { lock_id: theirs.id });
    if (renewed) this.wrong.push(`${agent} renewed ${theirs.id} of ${theirs.agent}`);
    const taken = await this.#try(agent, "acquire_lock", { ticket: theirs.id });
    if (taken) this.wrong.push(`${agent} went on with ${theirs.id} of ${theirs.agent}`);
    const [resource] = theirs.resources;
    const written = await this.#try(agent, "put_state", writing(resource!, theirs.token));
    if (written) this.wrong.push(`${agent} wrote ${resource} with the token of ${theirs.agent}`);
  }

  #hasDied(lease: Told): boolean {
    return lease.until <= Date.now();
  }

  #waits(share: number): { readonly wait_seconds?: number } {
    return this.#random() < share ? { wait_seconds: this.#options.waitSeconds } : {};
  }

  /** Undefined for a refusal, or when nobody knows what became of the call. */
  async #try(agent: string, tool: string, input: object): Promise<Record<string, unknown> | undefined> {
    this.#refusals.delete(agent);
    try {
      const answer = await this.#call(agent, tool, input);
      this.calls++;
      return answer;
    } catch (error) {
      const { message } = error as Error;
      if (message.startsWith("lock.deadlock")) this.deadlocks++;
      if (message.includes("you are before you")) this.wrong.push(`${agent} is in its own way: ${message}`);
      const [code] = /^lock\.\w+/.exec(message) ?? [];
      if (code) {
        this.#refusals.set(agent, code);
        this.calls++;
        return undefined;
      }
      this.cuts++;
      if (!/^store\.|the process is gone/.test(message)) this.wrong.push(`${agent} ${tool}: ${message}`);
      await pause(25);
      return undefined;
    }
  }

  #pick(from: readonly string[]): string {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }
}

/** A lease, as its agent was told of it. */
function toldOf(agent: string, mode: string, answer: Record<string, unknown>): Told {
  return {
    ...{ agent, mode, id: String(answer.lock_id), token: Number(answer.token) },
    resources: parseResources(answer.resources as string[]),
    from: Number(answer.token) / 1000,
    until: Date.parse(String(answer.expires_at)),
  };
}

/** What a name lies in: all of its folder, or of what is called so. */
function wider(resource: Resource): Resource {
  return parseResources([resource.replace(/[^/:]*$/, "*")])[0]!;
}

function entryOf(resource: Resource): string {
  return `${group}/of-${resource.replace(/[^a-z]/g, "-")}`;
}

/** A write that says in what it writes under which token it was made. */
function writing(resource: Resource, token: number): object {
  return {
    ...{ key: entryOf(resource), value: JSON.stringify({ resource, token }) },
    ...{ resource, fencing_token: token },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
