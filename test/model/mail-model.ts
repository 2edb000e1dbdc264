/** What one mailbox promises, in the simplest terms: a list of messages and where each stands. */

export type Outcome = "done" | "retry" | "retry later" | "reject" | "extend";
type State = "ready" | "delayed" | "open" | "settled" | "unconfirmed" | "dead" | "recalled";

export interface Posted {
  readonly body: string;
  readonly sender: string;
  /** 0 low to 3 urgent */
  readonly priority: number;
  readonly ackRequired: boolean;
  state: State;
  /** Deliveries that counted. */
  count: number;
  failures: number;
  /** Who has it, or had it last: agent/run. */
  run: string;
  /** The page it was delivered with, while that page decides about it. */
  page: number;
  gone: boolean;
}

export interface Filter {
  readonly sender?: string;
  readonly leastPriority: number;
}

const failuresMost = 3;

export class MailModel {
  readonly posted: Posted[] = [];
  readonly #job: boolean;
  /** Pages handed out whose fate their run has told: page → whether it arrived. */
  readonly #pages = new Map<number, { readonly run: string; readonly reached: boolean }>();
  #nextPage = 1;

  constructor(job: boolean) {
    this.#job = job;
  }

  post(body: string, sender: string, priority: number, ackRequired: boolean): Posted {
    const message: Posted = {
      ...{ body, sender, priority, ackRequired },
      ...{ state: "ready", count: 0, failures: 0, run: "", page: 0, gone: false },
    };
    this.posted.push(message);
    return message;
  }

  /** What is ready and fits, most urgent first, then in the order it was sent. */
  waiting(filter: Filter): Posted[] {
    return this.posted
      .filter(({ state }) => state === "ready")
      .filter(({ priority }) => priority >= filter.leastPriority)
      .filter(({ sender }) => filter.sender === undefined || sender === filter.sender)
      .sort((a, b) => b.priority - a.priority || this.posted.indexOf(a) - this.posted.indexOf(b));
  }

  read(run: string, limit: number, filter: Filter, reached: boolean): Posted[] {
    for (const [page, fate] of this.#pages) {
      if (fate.run !== run) continue;
      this.#pages.delete(page);
      for (const message of this.posted.filter((one) => one.state === "open" && one.page === page)) {
        if (!fate.reached) this.#giveBack(message, false);
        else if (!this.#job && !message.ackRequired) message.state = "settled";
      }
    }
    const page = this.#nextPage++;
    const delivered = this.waiting(filter).slice(0, limit);
    for (const message of delivered) {
      message.state = "open";
      message.run = run;
      message.page = page;
      message.count += 1;
    }
    if (delivered.length > 0) this.#pages.set(page, { run, reached });
    return delivered.map((message) => ({ ...message }));
  }

  settle(run: string, message: Posted, outcome: Outcome): string {
    if (message.run === "") return "mailbox.not_yours";
    const elsewhere = this.#job && message.state === "open" && message.run !== run;
    if (elsewhere || agentOf(message.run) !== agentOf(run)) return "delivery.superseded";
    if (outcome === "done") {
      if (message.state === "dead" || message.state === "recalled") return "delivery.not_open";
      message.state = "settled";
      return "settled";
    }
    if (message.state !== "open") return "delivery.not_open";
    if (outcome === "extend") return "extended";
    message.page = 0;
    if (outcome === "reject") {
      message.failures += 1;
      message.state = "dead";
      return "dead";
    }
    if (this.#job) {
      this.#fail(message);
      if ((message.state as State) === "dead") return "dead";
    }
    message.state = outcome === "retry later" ? "delayed" : "ready";
    return "retrying";
  }

  /** A run is over: in good order, or it was seen to be gone. */
  end(run: string, inGoodOrder: boolean): void {
    for (const [page, fate] of this.#pages) if (fate.run === run) this.#pages.delete(page);
    for (const message of this.posted) {
      if (message.state !== "open" || message.run !== run) continue;
      if (this.#job && !inGoodOrder) this.#fail(message);
      else this.#giveBack(message, true);
    }
  }

  /** Delays are over. */
  delaysEnd(): void {
    for (const message of this.posted) if (message.state === "delayed") message.state = "ready";
  }

  /** Claims are over, and what nobody confirmed within its time. */
  claimsEnd(): void {
    for (const message of this.posted) {
      if (message.state !== "open") continue;
      if (this.#job) this.#fail(message);
      else if (!message.ackRequired) message.state = "unconfirmed";
    }
  }

  /** What waits has outlived its expiry. */
  expire(): void {
    for (const message of this.posted) if (message.state === "ready") message.state = "dead";
  }

  recall(sender: string, message: Posted): boolean {
    if (message.sender !== sender || message.gone) return false;
    if (message.state === "recalled") return true;
    if (message.count > 0 || (message.state !== "ready" && message.state !== "delayed")) return false;
    message.state = "recalled";
    return true;
  }

  requeue(): number {
    const dead = this.posted.filter(({ state, gone }) => state === "dead" && !gone);
    for (const message of dead) {
      message.state = "ready";
      message.failures = 0;
      message.page = 0;
    }
    return dead.length;
  }

  purge(): number {
    const dead = this.posted.filter(({ state, gone }) => state === "dead" && !gone);
    for (const message of dead) message.gone = true;
    return dead.length;
  }

  /** What is open at the agent of a run. */
  openAt(run: string): number {
    return this.posted.filter((one) => one.state === "open" && agentOf(one.run) === agentOf(run)).length;
  }

  count(...states: State[]): number {
    return this.posted.filter(({ state, gone }) => !gone && states.includes(state)).length;
  }

  #giveBack(message: Posted, counts: boolean): void {
    if (!counts) message.count -= 1;
    message.state = "ready";
  }

  #fail(message: Posted): void {
    message.failures += 1;
    message.state = message.failures >= failuresMost ? "dead" : "ready";
  }
}

function agentOf(run: string): string {
  return run.slice(0, run.indexOf("/"));
}
