import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where a connection is cut: `before` the nth command reaches the store, or `after` the store has executed it and before
 * its reply arrives.
 */
export interface Cut {
  readonly nth: number;
  readonly when: "before" | "after";
  /** Counts only commands that hold this text, also those that are not part of a call. */
  readonly of?: string;
  /** The store stays out of reach from then on, until `heal`. */
  readonly stayAway?: boolean;
}

/** A unix socket in front of a store that cuts connections at a chosen command. It knows RESP's boundaries, no more. */
export class StoreProxy {
  readonly url: string;
  /** Commands seen since `arm`, those after the cut too. */
  seen: string[] = [];
  readonly #target: string;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #armed: Cut | undefined;
  /** Commands since `arm` that the cut counts. */
  #matching = 0;
  #away = false;
  /** How often it was healed: a cut that was to come before that leaves the store in reach. */
  #healed = 0;
  #onCut: () => void = () => undefined;

  private constructor(path: string, target: string) {
    this.#target = target;
    this.url = `unix://${path}`;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @param storeUrl `unix://path` */
  static async before(storeUrl: string): Promise<StoreProxy> {
    const path = join(tmpdir(), `mailbox-proxy-${randomBytes(8).toString("hex")}`);
    const proxy = new StoreProxy(path, storeUrl.slice("unix://".length));
    proxy.#server.listen(path);
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Counts from now on, and cuts once. The answer resolves when it did. */
  arm(cut: Cut): Promise<void> {
    this.seen = [];
    this.#matching = 0;
    this.#armed = cut;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  /** Whether the cut has been made. */
  get hasCut(): boolean {
    return this.#armed === undefined;
  }

  /** No cut any more, and the store is in reach again. */
  heal(): void {
    this.#armed = undefined;
    this.#away = false;
    this.#healed += 1;
  }

  /** Every connection there is ends now; the next ones are served. */
  cutAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    // Which removes the socket.
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    if (this.#away) {
      client.destroy();
      return;
    }
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
    let asked = 0;
    let answered = 0;
    let lastReply = Number.POSITIVE_INFINITY;
    const cut = (stayAway: boolean): void => {
      client.destroy();
      store.destroy();
      if (stayAway) {
        this.#away = true;
        this.cutAll();
      }
      this.#onCut();
    };
    let staying = false;
    let healedBefore = 0;
    // A store that is busy may answer when the call was given up, and all is healed.
    const staysAway = (): boolean => staying && healedBefore === this.#healed;
    splitFrames(client, valueEnd, (frame) => {
      if (asked >= lastReply) return;
      const armed = this.#armed;
      const isOfCall = isCounted(frame);
      if (isOfCall) this.seen.push(nameOf(frame));
      if (armed?.of ? frame.includes(armed.of) : isOfCall) {
        this.#matching += 1;
        if (armed && this.#matching === armed.nth) {
          this.#armed = undefined;
          staying = armed.stayAway ?? false;
          healedBefore = this.#healed;
          if (armed.when === "before") {
            cut(staysAway());
            return;
          }
          lastReply = asked + 1;
        }
      }
      asked += 1;
      store.write(frame);
    });
    splitFrames(store, valueEnd, (frame) => {
      answered += 1;
      if (answered >= lastReply) cut(staysAway());
      else client.write(frame);
    });
  }
}

const askTime = Buffer.from("*1\r\n$4\r\nTIME\r\n");

/** What the process does for itself now and then is not part of a call: sweeping, asking for the version of the rules and the time. */
function isCounted(frame: Buffer): boolean {
  const isTime = frame.equals(askTime);
  return !isTime && !frame.includes(":dir}:sweeper") && !frame.includes(":dir}:access");
}

/** The command's name and, for a script, the last of its key names: enough to say in a failure where it was cut. */
function nameOf(frame: Buffer): string {
  const words = frame.toString("latin1").split("\r\n");
  const keys = words.filter((word) => word.startsWith("{"));
  return `${words[2]} ${keys.at(0) ?? ""}`.trim();
}

function splitFrames(
  socket: Socket,
  endOf: (data: Buffer, at: number) => number,
  take: (frame: Buffer) => void,
): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (;;) {
      const end = endOf(rest, 0);
      if (end < 0) return;
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      take(frame);
    }
  });
}

/** Where a RESP2 value, command or reply, ends; -1 while it is incomplete. */
function valueEnd(data: Buffer, at: number): number {
  const line = data.indexOf("\r\n", at);
  if (line < 0) return -1;
  const kind = String.fromCharCode(data[at]!);
  const next = line + 2;
  if (kind === "$") {
    const length = Number(data.toString("latin1", at + 1, line));
    if (length < 0) return next;
    return data.length >= next + length + 2 ? next + length + 2 : -1;
  }
  if (kind === "*") {
    let end = next;
    for (let left = Number(data.toString("latin1", at + 1, line)); left > 0; left--) {
      end = valueEnd(data, end);
      if (end < 0) return -1;
    }
    return end;
  }
  return next;
}
