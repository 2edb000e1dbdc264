import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** The process ended before it answered: nobody knows what became of the call. */
export class Cut extends Error {}

/** A process that serves agents, killed and started again at will. */
export class Server {
  readonly agents: readonly string[];
  readonly #stdio: boolean;
  readonly #env: Record<string, string>;
  readonly #house: string;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #child: ChildProcess | undefined;
  #closed: Promise<void> = Promise.resolve();
  /** Whom we kill: it does not end by itself. */
  #killing: ChildProcess | undefined;
  /** Why it is not there, where nobody killed it. */
  #ended: Error | undefined;
  #calls = 0;

  /**
   * One agent over stdio, as an MCP client starts it, or several in a process of their own.
   *
   * @param house the program of a process of several
   */
  constructor(kind: "stdio" | "house", agents: readonly string[], env: Record<string, string>, house = "") {
    this.#stdio = kind === "stdio";
    this.agents = agents;
    this.#env = env;
    this.#house = house;
  }

  start(): void {
    const args = this.#stdio ? [main, "stdio", "--agent", this.agents[0]!] : [this.#house];
    const child = spawn(process.execPath, args, { env: this.#env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.#ended = undefined;
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2_000);
    });
    child.stdin.on("error", () => undefined);
    const lines = createInterface(child.stdout);
    lines.on("line", (line) => {
      // What a killed process had already handed over is an answer all the same.
      const { id, result, refused, error } = JSON.parse(line) as {
        id: number;
        result?: unknown;
        refused?: string;
        error?: { message: string };
      };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (refused ?? error) waiting?.reject(new Error(refused ?? error!.message));
      else waiting?.resolve(result);
    });
    const begun = this.#calls;
    let hasClosed = (): void => undefined;
    this.#closed = new Promise((resolve) => {
      hasClosed = resolve;
    });
    child.on("close", (code, signal) => {
      if (child !== this.#killing)
        this.#ended = new Error(`the process ended by itself (${code ?? signal}): ${said}`);
      hasClosed();
      for (const [id, waiting] of this.#waiting)
        if (id <= begun || child === this.#child) {
          this.#waiting.delete(id);
          waiting.reject(this.#ended ?? new Cut("the process is gone"));
        }
    });
    if (this.#stdio)
      void this.#ask("initialize", {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "crowd", version: "1" },
      }).then(
        () => this.#write({ jsonrpc: "2.0", method: "notifications/initialized" }),
        () => undefined,
      );
  }

  /** `kill -9`; resolves when it is gone and everything it had said was heard. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#killing = child;
    child.kill("SIGKILL");
    await this.#closed;
    this.#child = undefined;
  }

  /** Stands still, and all of its sockets with it, until it goes on. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#child?.kill("SIGCONT");
  }

  /**
   * The whole answer of a tool.
   *
   * @throws {Cut} when the process was killed first, an `Error` with the refusal's text, or with what the process said
   *   last where it ended by itself
   */
  async call(agent: string, tool: string, input: object): Promise<Record<string, unknown>> {
    if (this.#ended) throw this.#ended;
    if (!this.#child) throw new Cut("the process is gone");
    if (!this.#stdio) {
      const id = ++this.#calls;
      const answer = this.#answer(id);
      this.#write({ id, agent, tool, input });
      return (await answer) as Record<string, unknown>;
    }
    const result = (await this.#ask("tools/call", { name: tool, arguments: input })) as {
      isError?: boolean;
      content: { text: string }[];
      structuredContent?: Record<string, unknown>;
    };
    if (result.isError || !result.structuredContent) throw new Error(result.content[0]!.text);
    return result.structuredContent;
  }

  #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#calls;
    const answer = this.#answer(id);
    this.#write({ jsonrpc: "2.0", id, method, params });
    return answer;
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #write(message: object): void {
    this.#child?.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}

interface Read {
  readonly messages: readonly { readonly id: string; readonly body: string; readonly from: string }[];
}

/** Longest time an agent thinks between two steps: so that most of them are in a call, and the machine does more than this. */
const thinksMs = 20;

/**
 * Agents that send, read and settle with repeated keys through servers that are killed, and what they were answered.
 * Every body is sent once as the caller sees it, however often the call had to be repeated.
 */
export class Crowd {
  readonly servers: readonly Server[];
  /** body → the id it was answered with, and to whom */
  readonly answered = new Map<string, { readonly id: string; readonly to: readonly string[] }>();
  /** reader and body → how often it was delivered */
  readonly delivered = new Map<string, number>();
  /** jobs whose settlement was answered */
  readonly settled = new Set<string>();
  /** what must not be */
  readonly wrong: string[] = [];
  calls = 0;
  cuts = 0;
  replays = 0;
  lastAnswerAt = 0;
  #going = true;
  readonly #homes = new Map<string, Server>();
  readonly #loops: Promise<void>[] = [];

  constructor(servers: readonly Server[]) {
    this.servers = servers;
    for (const server of servers) for (const agent of server.agents) this.#homes.set(agent, server);
  }

  get agents(): readonly string[] {
    return [...this.#homes.keys()];
  }

  begin(): void {
    for (const server of this.servers) server.start();
    for (const agent of this.agents) this.#loops.push(this.#live(agent));
  }

  /** Lets every agent finish what it does, then reads until nothing comes any more. */
  async finish(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
    await Promise.all(this.agents.map((agent) => this.#drain(agent)));
    // Once more: what others gave back meanwhile.
    await Promise.all(this.agents.map((agent) => this.#drain(agent)));
  }

  async #live(agent: string): Promise<void> {
    for (let n = 0; this.#going; n++) {
      await delay(Math.random() * thinksMs);
      const what = Math.random();
      if (what < 0.3) await this.#send(agent, [this.#other(agent)], `${agent} ${n}`);
      else if (what < 0.4) await this.#send(agent, [this.#other(agent), this.#other(agent)], `${agent} ${n}`);
      else if (what < 0.5) await this.#send(agent, ["queue:work"], `job ${agent} ${n}`);
      else if (what < 0.75) await this.#read(agent);
      else await this.#work(agent);
    }
  }

  #other(agent: string): string {
    const others = this.agents.filter((one) => one !== agent);
    return others[Math.floor(Math.random() * others.length)]!;
  }

  /** Repeats a call until it is answered: the process may be killed, the store away. */
  async #call(agent: string, tool: string, input: object): Promise<Record<string, unknown>> {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await this.#homes.get(agent)!.call(agent, tool, input);
        this.calls += 1;
        this.lastAnswerAt = Date.now();
        return answer;
      } catch (error) {
        const away = /^store\.(unavailable|outcome_unknown)/.test((error as Error).message);
        const [code] = /^delivery\.\w+/.exec((error as Error).message) ?? [];
        if (code) return { results: [{ state: "refused", refusal: { code } }] };
        if (!(error instanceof Cut) && !away) this.wrong.push(`${agent} ${tool}: ${String(error)}`);
        if (tries > 400) throw error;
        this.cuts += 1;
        await delay(25);
      }
    }
  }

  async #send(agent: string, to: readonly string[], body: string): Promise<void> {
    const input = { to: [...new Set(to)], body, idempotency_key: `send ${body}` };
    const { message_id: id } = await this.#call(agent, "send_message", input);
    this.answered.set(body, { id: String(id), to: input.to });
    if (Math.random() > 0.3) return;
    const again = await this.#call(agent, "send_message", input);
    this.replays += 1;
    if (again.message_id !== id || again.replayed !== true)
      this.wrong.push(`${agent} ${body}: sent as ${String(id)}, again as ${JSON.stringify(again)}`);
  }

  async #read(agent: string): Promise<number> {
    const { messages } = (await this.#call(agent, "read_inbox", {})) as unknown as Read;
    for (const { body, from } of messages) if (from !== "postmaster") this.#note(agent, body);
    return messages.length;
  }

  async #work(agent: string): Promise<number> {
    const { messages } = (await this.#call(agent, "read_inbox", {
      mailbox: "queue:work",
    })) as unknown as Read;
    for (const { id, body } of messages) {
      if (this.settled.has(body)) this.wrong.push(`${body} came again after it was settled`);
      this.#note("queue:work", body);
      const input = { ids: [id], idempotency_key: `done ${id} ${Math.random()}` };
      const { results } = (await this.#call(agent, "ack_messages", input)) as {
        results: { state: string; refusal?: { code: string } }[];
      };
      if (results[0]!.state === "settled") this.settled.add(body);
      else if (results[0]!.refusal?.code !== "delivery.superseded")
        this.wrong.push(`${body} could not be settled: ${JSON.stringify(results)}`);
    }
    return messages.length;
  }

  async #drain(agent: string): Promise<void> {
    while ((await this.#work(agent)) > 0);
    while ((await this.#read(agent)) > 0);
  }

  #note(reader: string, body: string): void {
    const what = `${reader}: ${body}`;
    this.delivered.set(what, (this.delivered.get(what) ?? 0) + 1);
  }

  /** What was answered as sent and reached nobody. */
  lost(): string[] {
    return [...this.answered].flatMap(([body, { to }]) =>
      to.filter((one) => !this.delivered.has(`${one}: ${body}`)).map((one) => `${body} to ${one}`),
    );
  }
}
