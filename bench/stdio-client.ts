import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BenchStore } from "./stores.js";

const benchServer = fileURLToPath(new URL("./bench-server.mjs", import.meta.url));

export interface Reply {
  readonly text: string;
  readonly isError: boolean;
}

/**
 * A client of one server process that does nothing but write lines and read lines: what is measured is the server, not
 * a client library.
 */
export class StdioClient {
  readonly child: ChildProcess;
  readonly #waiting = new Map<
    number,
    (message: { readonly result?: unknown; readonly error?: unknown }) => void
  >();
  #exited: string | undefined;
  #next = 1;
  #rest = "";

  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "inherit"], env });
    this.child.once("exit", (code, signal) => {
      this.#exited = `the server ended (${code ?? signal})`;
      for (const answer of this.#waiting.values()) answer({ error: this.#exited });
    });
    this.child.stdin!.on("error", () => {}); // its exit tells
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#take(text));
  }

  /** Starts the built server with the tools of the bench beside its own, and greets it. */
  static async open(
    store: BenchStore,
    agent: string,
    env: Record<string, string> = {},
  ): Promise<StdioClient> {
    const client = new StdioClient([process.execPath, benchServer, "stdio", "--agent", agent], {
      ...process.env,
      REDIS_URL: store.url,
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      ...env,
    });
    await client.greet();
    return client;
  }

  async greet(): Promise<void> {
    await this.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "bench", version: "0" },
    });
    this.notify("notifications/initialized");
  }

  notify(method: string): void {
    this.child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", method })}\n`);
  }

  request(method: string, params: object = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#exited) throw new Error(this.#exited);
      this.#waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result) : reject(new Error(`${method}: ${JSON.stringify(error)}`)),
      );
      this.child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  }

  /** Calls a tool; a refusal is thrown, because no measurement is about refusals. */
  async call(name: string, input: object = {}): Promise<string> {
    const result = (await this.request("tools/call", { name, arguments: input })) as {
      content: readonly { text: string }[];
      isError?: boolean;
    };
    const text = result.content.map((block) => block.text).join("\n");
    if (result.isError) throw new Error(`${name}: ${text}`);
    return text;
  }

  async close(): Promise<void> {
    if (this.#exited) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin!.end();
    await gone;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const message = JSON.parse(line) as {
        readonly id?: number;
        readonly method?: string;
        readonly result?: unknown;
        readonly error?: unknown;
      };
      if (message.id === undefined || message.method !== undefined) continue;
      const answer = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      answer?.(message);
    }
  }
}
