import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

/** Requests written by hand: what the SDK's clients would never send is what is tried here. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
  readonly agent?: Agent;
}

export function ask(url: string, { method, headers = {}, body, agent }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      ...(agent && { agent }),
    };
    const asked = request(url, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

export const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };

export function initialize(id: number | string = 0): string {
  return message(id, "initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "raw", version: "1" },
  });
}

export function message(id: number | string | undefined, method: string, params: object = {}): string {
  return JSON.stringify({ jsonrpc: "2.0", ...(id !== undefined && { id }), method, params });
}

export function toolCall(id: number | string, name: string, input: object = {}): string {
  return message(id, "tools/call", { name, arguments: input });
}

/** A 2025 session: the headers that its requests carry. */
export async function openSession(url: string, agent?: Agent): Promise<Record<string, string>> {
  const answer = await ask(url, { headers: json, body: initialize(), ...(agent && { agent }) });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  return { ...json, "mcp-session-id": String(answer.headers["mcp-session-id"]) };
}

const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A tool call as a 2026 client makes it, which needs no session. */
export function modernCall(id: number | string, name: string, input: object = {}): Asked {
  return {
    headers: {
      ...json,
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name,
    },
    body: message(id, "tools/call", { name, arguments: input, _meta: envelope }),
  };
}

/** A stream of updates as a 2026 client opens it. */
export function modernListen(id: number | string, uris: readonly string[]): Asked {
  return {
    headers: { ...json, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" },
    body: message(id, "subscriptions/listen", {
      notifications: { resourceSubscriptions: uris },
      _meta: envelope,
    }),
  };
}

/** What the text blocks of a result say, from JSON or from a stream of events. */
export function textIn(body: string): string {
  const found = body.startsWith("{") ? body : body.match(/^data: (\{.*"(?:result|error)".*)$/m)?.[1];
  if (!found) throw new Error(`no answer in ${body.slice(0, 200)}`);
  const { result, error } = JSON.parse(found) as {
    result?: { content: { text: string }[] };
    error?: { message: string };
  };
  return result ? result.content.map((block) => block.text).join("\n") : error!.message;
}

/** A stream of events that stays open, and what came on it. */
export class EventStream {
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  text = "";
  /** Resolves when the stream has ended or was cut. */
  readonly over: Promise<void>;
  #onText: (() => void)[] = [];

  private constructor(asked: ClientRequest, response: IncomingMessage) {
    this.#request = asked;
    this.response = response;
    this.over = new Promise((resolve) => response.once("close", () => resolve()));
    response.on("error", () => undefined);
    void this.over.then(() => this.#wake());
  }

  /** Refused when the answer is not a stream. */
  static open(url: string, asked: Asked = {}, reading = true): Promise<EventStream> {
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        {
          method: asked.body === undefined ? "GET" : "POST",
          headers: { accept: "text/event-stream", ...asked.headers },
          // A connection of its own.
          agent: false,
        },
        (response) => {
          const type = response.headers["content-type"] ?? "";
          if (response.statusCode !== 200 || !type.includes("event-stream")) {
            response.resume();
            reject(new Error(`refused with ${response.statusCode}`));
            return;
          }
          const stream = new EventStream(sent, response);
          if (reading) stream.read();
          resolve(stream);
        },
      );
      sent.on("error", reject);
      sent.end(asked.body);
    });
  }

  read(): void {
    this.response.setEncoding("utf8").on("data", (chunk: string) => {
      this.text += chunk;
      this.#wake();
    });
  }

  /** Resolves with the text once it matches. */
  async until(form: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const found = this.text.match(form);
      if (found) return found;
      if (this.response.closed) throw new Error(`the stream ended: ${this.text}`);
      await new Promise<void>((resolve) => this.#onText.push(resolve));
    }
  }

  cut(): void {
    this.#request.destroy();
  }

  #wake(): void {
    for (const resolve of this.#onText.splice(0)) resolve();
  }
}

/** A client of the two-endpoint transport that is written by hand. */
export class SseClient {
  readonly stream: EventStream;
  readonly address: string;
  readonly #answers = new Map<unknown, string>();
  readonly #waiting = new Map<unknown, (answer: string) => void>();
  #rest = "";

  private constructor(stream: EventStream, address: string) {
    this.stream = stream;
    this.address = address;
    stream.response.on("data", (chunk: string) => this.#take(chunk));
  }

  static async open(url: string, agent: string, reading = true): Promise<SseClient> {
    const stream = await EventStream.open(`${url}/sse?agent=${agent}`);
    const [, path] = await stream.until(/^event: endpoint\ndata: (\S+)\n\n/);
    const client = new SseClient(stream, `${url}${path}`);
    await client.post(initialize());
    await client.answer(0);
    await client.post(message(undefined, "notifications/initialized"));
    if (!reading) stream.response.pause();
    return client;
  }

  post(body: string): Promise<Answer> {
    return ask(this.address, { headers: { "content-type": "application/json" }, body });
  }

  /** The answer to a request, once it has come. */
  async answer(id: number): Promise<string> {
    const answer =
      this.#answers.get(id) ??
      (await new Promise<string>((resolve) => {
        this.#waiting.set(id, resolve);
      }));
    this.#answers.delete(id);
    return answer;
  }

  #take(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const text = line.slice(6);
      const { id } = JSON.parse(text) as { id?: unknown };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (waiting) waiting(text);
      else this.#answers.set(id, text);
    }
  }
}

/** A socket on which a request can be written as slowly or as wrongly as one likes. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** What the other side said on a socket until it closed it. */
export async function saidUntilClosed(socket: Socket): Promise<string> {
  let said = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return said;
}

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** The product's own server as a process. */
export class ServeProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<number | null>;
  readonly #errors: () => string;

  private constructor(child: ChildProcess, url: string, errors: () => string) {
    this.child = child;
    this.url = url;
    this.#errors = errors;
    this.exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  }

  static async start(env: Record<string, string>): Promise<ServeProcess> {
    const child = spawn(process.execPath, [main, "serve", "--port", "0"], {
      env: {
        PATH: process.env.PATH!,
        HOME: process.env.HOME!,
        LLM_MAILBOX_LOG_LEVEL: "warn",
        LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
        ...env,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let told = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
        told += chunk;
        const found = told.match(/(http:\/\/\S+)\/mcp/);
        if (found) resolve(found[1]!);
      });
      child.once("exit", () => reject(new Error(`the server did not start: ${told}`)));
    });
    return new ServeProcess(child, url, () => told);
  }

  /** What it wrote to standard error. */
  get stderr(): string {
    return this.#errors();
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    await this.exited;
  }
}
