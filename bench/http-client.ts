import { Agent, request } from "node:http";

/** One client over Streamable HTTP of the 2025 era, which does nothing but write requests and read replies. */
export class HttpClient {
  static readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #url: URL;
  #session: string | undefined;
  #next = 1;

  constructor(url: string, agent: string) {
    this.#url = new URL(`${url}?agent=${agent}`);
  }

  async greet(): Promise<void> {
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
    const body = await this.#post({
      id: this.#next++,
      method: "tools/call",
      params: { name, arguments: input },
    });
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

  #post(message: object): Promise<string> {
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
            "mcp-protocol-version": "2025-11-25",
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
