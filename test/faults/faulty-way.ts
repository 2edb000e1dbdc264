import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The way between one process and its store, as networks are: cut in the middle of anything, or open one way alone. */
export class FaultyWay {
  readonly url: string;
  readonly #folder: string;
  readonly #target: string;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #swallows: "requests" | "replies" | undefined;

  private constructor(folder: string, target: string) {
    this.#folder = folder;
    this.#target = target;
    this.url = `unix://${join(folder, "s")}`;
    this.#server = createServer((client) => this.#carry(client));
  }

  /** @param storeUrl `unix://path` */
  static async to(storeUrl: string): Promise<FaultyWay> {
    const folder = mkdtempSync(join(tmpdir(), "mailbox-way-"));
    const way = new FaultyWay(folder, storeUrl.slice("unix://".length));
    way.#server.listen(join(folder, "s"));
    await once(way.#server, "listening");
    return way;
  }

  /** Every connection breaks now, whatever is on its way. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** What goes one way is lost from now on, without a word to either side, until `heal`. */
  swallow(what: "requests" | "replies"): void {
    this.#swallows = what;
  }

  /** What was lost stays lost: the connections on which it was break. */
  heal(): void {
    if (this.#swallows) this.cut();
    this.#swallows = undefined;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #carry(client: Socket): void {
    const store = connect(this.#target);
    for (const socket of [client, store]) {
      this.#open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#open.delete(socket);
        client.destroy();
        store.destroy();
      });
    }
    client.on("data", (chunk: Buffer) => {
      if (this.#swallows !== "requests") store.write(chunk);
    });
    store.on("data", (chunk: Buffer) => {
      if (this.#swallows !== "replies") client.write(chunk);
    });
  }
}
