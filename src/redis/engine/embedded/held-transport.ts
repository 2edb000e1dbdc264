import type { Socket } from "node:net";
import { SocketConnectionTransport } from "js-redis-server/core";

/** A client that leaves this much unread is cut off, so that it cannot fill the memory all share. */
const unreadLimitBytes = 128 * 1024 * 1024;

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
    return Promise.resolve();
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
    if (this.#socket.writableLength > unreadLimitBytes) this.#socket.destroy();
    if (this.#closing) super.close(this.#closing.reason);
  }
}
