import { covers, overlaps, parseResources, type Resource } from "../../src/locks/index.js";

/** How a member of the crowd calls a tool. An `Error` whose message begins with a code is a refusal. */
export type CallTool = (agent: string, tool: string, input: object) => Promise<Record<string, unknown>>;

/** What an agent was told of a lease, and what it did. Times by the store's clock, which is the one of this machine. */
interface Told {
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

export interface CrowdOptions {
  readonly leaseSeconds: number;
  readonly waitSeconds: number;
  /** Longest time a lease is kept, ms. */
  readonly keepMs: number;
  readonly random?: () => number;
}

/**
 * Agents that lock overlapping things in every way there is, forget to release, come late, try what is not theirs, and
 * write down what they were answered.
 */
export class LockCrowd {
  readonly wrong: string[] = [];
  readonly told: Told[] = [];
  calls = 0;
  cuts = 0;
  granted = 0;
  deadlocks = 0;
  staleWrites = 0;
  /** resource → highest token seen with a write, as whatever is written keeps it */
  readonly #fences = new Map<string, number>();
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
            await this.#try(agent, "release_lock", { lock_id: lease.lock_id });
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
      lease_seconds: this.#options.leaseSeconds + (this.#random() < 0.5 ? 1 : 0),
    };
    const asks = { ...wish, priority: Math.floor(this.#random() * 4), ...this.#waits(0.6) };
    const circles = this.deadlocks;
    let askedAt = Date.now();
    let answer = await this.#try(agent, "acquire_lock", asks);
    if (!answer && this.deadlocks > circles) await this.#letGo(agent);
    for (let tries = 0; answer?.state === "queued" && this.#going; tries++) {
      const ticket = String(answer.ticket);
      this.#ids.add(ticket);
      const what = this.#random();
      if (what < 0.1 || tries > 20) return void (await this.#try(agent, "release_lock", { ticket }));
      if (what < 0.3) await pause(this.#random() * 60);
      // Long enough to miss an offer.
      if (what > 0.97) await pause(300 + this.#random() * 400);
      const again = what < 0.5 ? { ...wish, priority: Math.floor(this.#random() * 10) } : { ticket };
      const life = this.#lives.get(agent);
      askedAt = Date.now();
      answer = await this.#try(agent, "acquire_lock", { ...again, ...this.#waits(0.7) });
      if (answer?.state === "queued" && answer.ticket !== ticket && life === this.#lives.get(agent))
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
      await this.#try(agent, "release_lock", { lock_id: id });
    }
    await pause(10);
  }

  async #hold(agent: string, mode: string, answer: Record<string, unknown>): Promise<void> {
    const lease: Told = {
      ...{ agent, mode, id: String(answer.lock_id), token: Number(answer.token) },
      resources: parseResources(answer.resources as string[]),
      from: Number(answer.token) / 1000,
      until: Date.parse(String(answer.expires_at)),
    };
    // Its mode is that of the lease, which may be the stronger one of an earlier wish.
    if (answer.state === "already_held") {
      const earlier = this.told.find(({ id, agent: who }) => id === lease.id && who === agent);
      if (earlier && earlier.token !== lease.token)
        this.wrong.push(`${agent}: another token for ${lease.id}`);
      if (earlier && earlier.until > Date.now()) earlier.until = Math.max(earlier.until, lease.until);
    } else {
      this.granted++;
      this.#ids.add(lease.id);
      this.told.push(lease);
    }
    const told = this.told.find(({ id }) => id === lease.id) ?? lease;
    // What is asked again is prolonged, and is still to end by itself where it is forgotten.
    const brief = { lease_seconds: this.#options.leaseSeconds };
    const what = this.#random();
    if (what < 0.2) {
      const again = await this.#try(agent, "acquire_lock", { resources: told.resources, mode: told.mode });
      if (again && Date.now() < told.until - 50 && !this.#hasDied(told)) {
        if (again.state !== "already_held" || again.lock_id !== told.id || again.token !== told.token)
          this.wrong.push(`${agent} asked again for ${told.id} and was told ${JSON.stringify(again)}`);
        else told.until = Math.max(told.until, Date.parse(String(again.expires_at)));
      }
    }
    if (what > 0.45 && what < 0.55) {
      // Whoever holds something may ask for more of it: its own requests are not in its way.
      const more = await this.#try(agent, "acquire_lock", { resources: [...told.resources, `of/${agent}`] });
      if (more?.state === "queued") await this.#try(agent, "release_lock", { ticket: more.ticket });
      else if (more?.state === "granted" && this.#random() < 0.5) {
        const newest = await this.#try(agent, "acquire_lock", {
          ...{ ...brief, resources: told.resources, mode: told.mode },
        });
        if (newest?.state === "already_held" && newest.lock_id !== more.lock_id && !this.#hasDied(told))
          this.wrong.push(`${agent} has ${more.lock_id} and was told of an older lease`);
      }
      if (more?.state === "granted") await this.#try(agent, "release_lock", { lock_id: more.lock_id });
    }
    if (what > 0.63 && what < 0.7) {
      const others = [this.#pick(names), this.#pick(patterns)].slice(0, this.#random() < 0.5 ? 1 : 2);
      const part = this.#random() < 0.5 ? told.resources.slice(0, 1) : others;
      const mode = this.#random() < 0.5 ? "shared" : "exclusive";
      const askedAt = Date.now();
      const has = await this.#try(agent, "acquire_lock", { ...brief, resources: part, mode });
      if (has?.state === "already_held") this.#checkHeld(agent, part, mode, has, askedAt);
      else if (has) await this.#try(agent, "release_lock", { lock_id: has.lock_id ?? has.ticket });
    }
    if (what > 0.7) {
      const renewed = await this.#try(agent, "acquire_lock", { lock_id: told.id, lease_seconds: 1 });
      const until = Date.parse(String(renewed?.expires_at));
      if (renewed?.state === "renewed" && !this.#hasDied(told)) {
        if (until < told.until - 50) this.wrong.push(`${told.id} was renewed and got shorter`);
        told.until = Math.max(told.until, until);
      }
    }
    await pause(this.#random() * this.#options.keepMs);
    if (what > 0.2 && what < 0.25) return; // forgotten: its lease ends by itself
    if (what > 0.25 && what < 0.28) await pause(this.#options.leaseSeconds * 1000 + 100);
    this.#write(told);
    await this.#giveBack(agent, told);
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
    }
    lease.until = Math.min(lease.until, Date.now());
    await this.#try(agent, "release_lock", { lock_id: lease.id });
    if (this.#random() < 0.2) {
      const again = await this.#try(agent, "release_lock", { lock_id: lease.id });
      if (again && again.state !== "gone" && !this.cuts) this.wrong.push(`${lease.id} was released twice`);
    }
  }

  /** Whatever is written refuses tokens below the highest it has seen. */
  #write(lease: Told): void {
    if (lease.mode !== "exclusive") return;
    for (const resource of lease.resources) {
      const highest = this.#fences.get(resource) ?? 0;
      if (lease.token < highest) this.staleWrites++;
      else this.#fences.set(resource, lease.token);
    }
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
  }

  #hasDied(lease: Told): boolean {
    return lease.until <= Date.now();
  }

  #waits(share: number): { readonly wait_seconds?: number } {
    return this.#random() < share ? { wait_seconds: this.#options.waitSeconds } : {};
  }

  /** Undefined for a refusal, or when nobody knows what became of the call. */
  async #try(agent: string, tool: string, input: object): Promise<Record<string, unknown> | undefined> {
    try {
      const answer = await this.#call(agent, tool, input);
      this.calls++;
      return answer;
    } catch (error) {
      const { message } = error as Error;
      if (message.startsWith("lock.deadlock")) this.deadlocks++;
      if (message.includes("you are before you")) this.wrong.push(`${agent} is in its own way: ${message}`);
      if (/^lock\./.test(message)) {
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
