import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** So many requests of one connection may wait behind the one that is being answered. */
export const mostInLine = 100;

/** The requests of one connection that are not answered yet. */
interface Line {
  count: number;
  readonly waiting: (() => void)[];
}

/**
 * A client may send requests without waiting for the answers before, and gets the answers in their order. So they are
 * answered one after the other: whoever sends thousands at once makes us begin one, and the next when that one is over.
 */
export class Lines {
  readonly #lines = new WeakMap<Socket, Line>();

  /** Resolves when it is the turn of this request; nothing where none is before it. */
  join(socket: Socket, response: ServerResponse): Promise<void> | "full" | undefined {
    let line = this.#lines.get(socket);
    if (!line) {
      line = { count: 0, waiting: [] };
      this.#lines.set(socket, line);
    }
    const { count, waiting } = line;
    if (count > mostInLine) return "full";
    line.count += 1;
    response.once("close", () => {
      line.count -= 1;
      waiting.shift()?.();
    });
    return count > 0 ? new Promise((resolve) => waiting.push(resolve)) : undefined;
  }
}
