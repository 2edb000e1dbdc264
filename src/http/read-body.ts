import type { IncomingMessage } from "node:http";

/** Why a body was not read: it is too large, its client has gone, or too many are being read already. */
export type Unread = "too large" | "gone" | "busy";

/** A body that has arrived whole. */
export interface Body {
  /** Its text, for whoever asks first. */
  text(): string;
  /** That nobody wants it any more. */
  drop(): void;
}

/**
 * Reads the bodies of requests, none longer than it may be, and all together not more than the memory they may take. A body
 * takes it until its text is used: also while it waits for its turn.
 */
export class BodyReader {
  readonly #mostBytes: number;
  readonly #mostAtOnce: number;
  #held = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#mostAtOnce = Math.max(64 * 1024 * 1024, 4 * mostBytes);
  }

  /** Stops at the first byte that is too much, and reads nothing where the client announces too many. */
  read(request: IncomingMessage): Promise<Body | { readonly unread: Unread }> {
    if (Number(request.headers["content-length"] ?? 0) > this.#mostBytes)
      return Promise.resolve({ unread: "too large" });
    return new Promise((resolve) => {
      let chunks: Buffer[] = [];
      let bytes = 0;
      const drop = (): void => {
        this.#held -= bytes;
        bytes = 0;
        chunks = [];
      };
      const over = (outcome: Body | { unread: Unread }): void => {
        request.off("data", onData).off("end", onEnd).off("close", onClose);
        if ("unread" in outcome) {
          request.pause();
          drop();
        }
        resolve(outcome);
      };
      const onData = (chunk: Buffer): void => {
        bytes += chunk.length;
        this.#held += chunk.length;
        if (bytes > this.#mostBytes) over({ unread: "too large" });
        else if (this.#held > this.#mostAtOnce) over({ unread: "busy" });
        else chunks.push(chunk);
      };
      const text = (): string => {
        const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        drop();
        return whole.toString("utf8");
      };
      const onEnd = (): void => over({ text, drop });
      const onClose = (): void => over({ unread: "gone" });
      request.on("data", onData).on("end", onEnd).on("close", onClose);
      request.once("error", () => undefined); // "close" follows
    });
  }
}

/**
 * Lets a client send to its end what is not read of it, so that it does not lose its answer to the end of the connection.
 * Nothing of it is kept. Who sends more than that, or for longer, is answered all the same.
 */
export function dropRest(
  request: IncomingMessage,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<void> {
  if (request.complete || request.destroyed || Number(request.headers["content-length"] ?? 0) > bytes)
    return Promise.resolve();
  return new Promise((resolve) => {
    let dropped = 0;
    const over = (): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", over).off("close", over).pause();
      resolve();
    };
    const onData = (chunk: Buffer): void => {
      dropped += chunk.length;
      if (dropped > bytes) over();
    };
    const timer = setTimeout(over, ms);
    request.once("error", () => undefined); // "close" follows
    request.on("data", onData).on("end", over).on("close", over).resume();
  });
}
