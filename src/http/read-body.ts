import type { IncomingMessage } from "node:http";

/** Why a body was not read: it is too large, its client has gone, or too many are being read already. */
export type Unread = "too large" | "gone" | "busy";

/** Reads the bodies of requests, none longer than it may be, and all together not more than the memory they may take. */
export class BodyReader {
  readonly #mostBytes: number;
  readonly #mostAtOnce: number;
  #held = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#mostAtOnce = Math.max(64 * 1024 * 1024, 4 * mostBytes);
  }

  /** Stops at the first byte that is too much, and reads nothing where the client announces too many. */
  read(request: IncomingMessage): Promise<{ readonly text: string } | { readonly unread: Unread }> {
    if (Number(request.headers["content-length"] ?? 0) > this.#mostBytes)
      return Promise.resolve({ unread: "too large" });
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const over = (outcome: { text: string } | { unread: Unread }): void => {
        request.off("data", onData).off("end", onEnd).off("close", onClose);
        if ("unread" in outcome) request.pause();
        this.#held -= bytes;
        resolve(outcome);
      };
      const onData = (chunk: Buffer): void => {
        bytes += chunk.length;
        this.#held += chunk.length;
        if (bytes > this.#mostBytes) over({ unread: "too large" });
        else if (this.#held > this.#mostAtOnce) over({ unread: "busy" });
        else chunks.push(chunk);
      };
      const onEnd = (): void => {
        const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        over({ text: whole.toString("utf8") });
      };
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
