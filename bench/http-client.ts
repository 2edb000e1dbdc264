import { Agent, request } from "node:http";

export type HttpEra = "2025-11-25" | "2026-07-28";

/** One client over Streamable HTTP, which does nothing but write requests and read replies. */
export class HttpClient {
  static readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #url: URL;
  readonly #era: HttpEra;
  #session: string | undefined;
  #next = 1;

  constructor(url: string, agent: string, era: HttpEra = "2025-11-25") {
    this.#url = new URL(`${url}?agent=${agent}`);
    this.#era = era;
  }

  /** Opens the session of the older era; the newer has none. */
  async greet(): Promise<void> {
    if (this.#era !== "2025-11-25") return;
    await this.#post({
      id: this.#next++,
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "bench", version: "0" },
      },
    });
    await this.#post({ method: "notifications/initialized" });
  }

  /** Calls a tool; a refusal is thrown. */
  async call(name: string, input: object = {}): Promise<string> {
    const modern = this.#era === "2026-07-28";
    const body = await this.#post(
      {
        id: this.#next++,
        method: "tools/call",
        params: { name, arguments: input, ...(modern && { _meta: envelope }) },
      },
      modern ? { "mcp-method": "tools/call", "mcp-name": name } : {},
    );
    const data = body.startsWith("{") ? body : /^data: (\{.*\})$/m.exec(body)?.[1];
    const { result, error } = JSON.parse(data ?? "{}") as {
      result?: { content: readonly { text: string }[]; isError?: boolean };
      error?: unknown;
    };
    const text = result?.content.map((block) => block.text).join("\n") ?? JSON.stringify(error ?? body);
    if (!result || result.isError) throw new Error(`${name}: ${text}`);
    return text;
  }

  static closeAll(): void {
    HttpClient.#agent.destroy();
  }

  #post(message: object, headers: Record<string, string> = {}): Promise<string> {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    return new Promise((resolve, reject) => {
      const sent = request(
        this.#url,
        {
          method: "POST",
          agent: HttpClient.#agent,
          headers: {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
            accept: "application/json, text/event-stream",
            "mcp-protocol-version": this.#era,
            ...headers,
            ...(this.#session === undefined ? {} : { "mcp-session-id": this.#session }),
          },
        },
        (response) => {
          const session = response.headers["mcp-session-id"];
          if (typeof session === "string") this.#session = session;
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk;
          });
          response.once("end", () =>
            (response.statusCode ?? 500) < 300
              ? resolve(text)
              : reject(new Error(`${response.statusCode}: ${text}`)),
          );
          response.once("error", reject);
        },
      );
      sent.once("error", reject);
      sent.end(body);
    });
  }
}

export const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
