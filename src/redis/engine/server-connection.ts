import { connect, type Socket } from "node:net";

/** The supervisor's own connection to a server: enough of the protocol to ask three things, and to notice its end. */
export class ServerConnection {
  readonly #socket: Socket;
  readonly #waiting: ((reply: string | undefined) => void)[] = [];
  #received = Buffer.alloc(0);
  /** resolves when the connection is lost */
  readonly lost: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.lost = new Promise((resolve) => {
      socket.once("close", () => {
        for (const answer of this.#waiting.splice(0)) answer(undefined);
        resolve();
      });
    });
    socket.on("error", () => {}); // told by close
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
  }

  async serverPid(): Promise<number> {
    const info = await this.#ask("INFO server");
    return Number(/^process_id:(\d+)/m.exec(info ?? "")?.[1]);
  }

  /** How many others are connected; undefined when the server did not answer. */
  async others(): Promise<number | undefined> {
    const clients = await this.#ask("INFO clients");
    const count = /^connected_clients:(\d+)/m.exec(clients ?? "")?.[1];
    return count === undefined ? undefined : Number(count) - 1;
  }

  /** Whether the server agreed to end; returns when it has closed the connection, or at its refusal. */
  async shutdown(): Promise<boolean> {
    const refusal = await this.#ask("SHUTDOWN NOSAVE");
    return refusal === undefined;
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(command: string): Promise<string | undefined> {
    if (this.#socket.destroyed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(`${command}\r\n`);
    });
  }

  /** Replies here are one bulk string or one line. */
  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const lineEnd = this.#received.indexOf("\r\n");
      if (lineEnd === -1) return;
      const line = this.#received.toString("latin1", 0, lineEnd);
      const end = line.startsWith("$") ? lineEnd + 4 + Number(line.slice(1)) : lineEnd + 2;
      if (this.#received.length < end) return;
      const reply = line.startsWith("$") ? this.#received.toString("utf8", lineEnd + 2, end - 2) : line;
      this.#received = this.#received.subarray(end);
      this.#waiting.shift()?.(reply);
    }
  }
}

export function connectServer(socketPath: string): Promise<ServerConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(new ServerConnection(socket));
    });
  });
}
