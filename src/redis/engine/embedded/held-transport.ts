import type { Socket } from "node:net";
import { SocketConnectionTransport } from "js-redis-server/core";

/** A client that does not read its replies is not served further ones beyond this. */
const heldLimitBytes = 1024 * 1024;

/**
 * A connection whose replies and publications leave only when `release` is called: after what they tell of is durable.
 *
 * Replies keep their order, and those of one round leave in one piece, so a pipeline costs one write.
 */
export class HeldTransport extends SocketConnectionTransport {
  readonly #socket: Socket;
  readonly #onHeld: (transport: HeldTransport) => void;
  #held: Buffer[] = [];
  #closing: { reason: string | undefined } | undefined;

  constructor(socket: Socket, onHeld: (transport: HeldTransport) => void) {
    super(socket);
    this.#socket = socket;
    this.#onHeld = onHeld;
  }

  override write(chunk: Buffer): Promise<void> {
    if (this.signal.aborted || this.#socket.destroyed) return Promise.resolve();
    this.#held.push(chunk);
    this.#onHeld(this);
    if (this.#socket.writableLength < heldLimitBytes) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
  }

  override close(reason?: string): void {
    if (this.#held.length === 0 || this.#socket.destroyed) super.close(reason);
    else this.#closing = { reason };
  }

  /** Lets go what is held. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    if (held.length > 0 && !this.#socket.destroyed) {
      this.#socket.write(held.length === 1 ? held[0]! : Buffer.concat(held));
    }
    if (this.#closing) super.close(this.#closing.reason);
  }
}
