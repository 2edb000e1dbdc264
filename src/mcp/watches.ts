import type { Caller } from "../identity/index.js";
import { loopTurns } from "./loop-turns.js";
import { watchTarget } from "./resources/resource-uri.js";
import type { Rooms } from "./rooms.js";

/** Shortest time between two updates of one URI: what happens meanwhile is told by one. */
export const coalesceMs = 250;

/** How often it is looked whether a client that did not read its updates reads them again. */
export const stalledMs = 1_000;

/** Most URIs one client may watch. */
export const mostWatched = 100;

/**
 * The URIs one client watches. The first change of a URI is told at once, and those that follow at most every 250 ms,
 * so that a busy topic cannot flood a client that reads slowly. For one that does not read at all nothing piles up: one
 * update per URI waits until it does.
 */
export class Watches {
  readonly #rooms: Rooms;
  readonly #tell: (uri: string) => void;
  readonly #stalled: () => boolean;
  readonly #stops = new Map<string, () => void>();
  /** Those for which it is still being asked whether they may be watched. */
  readonly #adding = new Map<string, Promise<() => void>>();

  constructor(rooms: Rooms, tell: (uri: string) => void, stalled: () => boolean = () => false) {
    this.#rooms = rooms;
    this.#tell = tell;
    this.#stalled = stalled;
  }

  get size(): number {
    return this.#stops.size;
  }

  /** False when the URI is not one that can be watched, or when the client watches too many. */
  async add(caller: Caller, uri: string): Promise<boolean> {
    const target = watchTarget(uri);
    if (!target) return false;
    if (this.#stops.has(uri)) {
      // Asked for twice at once: both get the answer of the first.
      await this.#adding.get(uri);
      return true;
    }
    if (this.#stops.size >= mostWatched) return false;
    let wanted = true;
    let timer: NodeJS.Timeout | undefined;
    let again = false;
    const onChange = (): void => {
      if (!wanted) return;
      if (timer) {
        again = true;
        return;
      }
      const stalled = this.#stalled();
      timer = setTimeout(
        () => {
          timer = undefined;
          if (again) onChange();
        },
        stalled ? stalledMs : coalesceMs,
      );
      again = stalled;
      if (!stalled) loopTurns.do(() => wanted && this.#tell(uri));
    };
    let stopWatching: (() => void) | undefined;
    this.#stops.set(uri, () => {
      wanted = false;
      clearTimeout(timer);
      stopWatching?.();
    });
    try {
      const watching = this.#rooms.watch(caller, target, onChange, () => {
        // Whoever is believed again may ask for it again.
        if (wanted) this.remove(uri);
      });
      this.#adding.set(uri, watching);
      const stop = await watching;
      if (wanted) stopWatching = stop;
      else stop();
      return true;
    } catch (error) {
      this.remove(uri);
      throw error;
    } finally {
      this.#adding.delete(uri);
    }
  }

  remove(uri: string): void {
    this.#stops.get(uri)?.();
    this.#stops.delete(uri);
  }

  clear(): void {
    for (const uri of [...this.#stops.keys()]) this.remove(uri);
  }
}
