import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

interface Pending {
  resolve(result: Record<string, unknown>): void;
  reject(error: Error): void;
}

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * An MCP client with its own server process on a pipe, as any client on this machine spawns it: JSON-RPC, a line per
 * message (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio).
 */
export class DemoAgent {
  readonly name: string;
  readonly ended: Promise<End>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", () => resolve({ code: null, signal: null }));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    void this.ended.then(() => {
      for (const { reject } of this.#pending.values()) reject(new Error(`${name}'s process has ended`));
      this.#pending.clear();
    });
    child.stdin!.on("error", () => undefined); // its end is told by `ended`
    createInterface({ input: child.stdout! }).on("line", (line) => this.#hear(JSON.parse(line) as Answer));
  }

  static spawn(name: string, command: readonly string[], env: NodeJS.ProcessEnv): DemoAgent {
    const child = spawn(command[0]!, [...command.slice(1), "stdio", "--agent", name], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    return new DemoAgent(name, child);
  }

  async initialize(): Promise<void> {
    await this.#ask("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "llm-mailbox-demo", version: "1.0.0" },
    });
    this.#say({ method: "notifications/initialized" });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The structured answer of a tool. @throws {Error} with the text of a refusal */
  async call<T>(tool: string, input: Record<string, unknown> = {}): Promise<T> {
    const result = await this.#ask("tools/call", { name: tool, arguments: input });
    if (result.isError) {
      const [block] = result.content as readonly { readonly text: string }[];
      throw new Error(`${tool} refused ${this.name}: ${block?.text}`);
    }
    return result.structuredContent as T;
  }

  /** As a crash of the machine's process: nothing of it gets a chance to clean up. */
  kill(): Promise<End> {
    this.#child.kill("SIGKILL");
    return this.ended;
  }

  /** As a client that is closed: the server notices the end of its input. */
  leave(): Promise<End> {
    this.#child.stdin!.end();
    return this.ended;
  }

  #ask(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#say({ id, method, params });
    });
  }

  #say(message: object): void {
    this.#child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  #hear({ id, result, error }: Answer): void {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id!);
    if (result) pending.resolve(result);
    else pending.reject(new Error(error?.message ?? "an answer without a result"));
  }
}
