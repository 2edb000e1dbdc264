import { refuse } from "../errors/index.js";
import { directoryKeys, loadScript, type Store, stateGroupKeyList, stateGroupKeys } from "../redis/index.js";
import { type StateLimits, scriptLimits } from "./limits.js";

const reserveRoom = loadScript(import.meta.url, "reserve-room.lua");
const returnRoom = loadScript(import.meta.url, "return-room.lua");
const keepState = loadScript(import.meta.url, "keep-state.lua");

/** How much a group may hold, and since which epoch; a write names both. */
export interface Room {
  readonly bytes: number;
  readonly epoch: number;
}

/** Room that was given to a group longer ago is asked for again; a group that lies empty remembers its epoch for longer. */
const freshMs = 60 * 60_000;

/** Groups looked into at a time for room that they do not use. */
const groupsAtOnce = 64;

/**
 * The room of a namespace, shared out to its groups, which are in slots of their own: before a group grows, the directory
 * gives it room in whole pieces; what it does not use any more is taken back. The groups never hold more, all together,
 * than the namespace may.
 */
export class GroupRooms {
  readonly #store: Store;
  readonly #limits: StateLimits;
  readonly #known = new Map<string, Room & { readonly askedAt: number }>();

  constructor(store: Store, limits: StateLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** The room of a group; one that is not known is registered with a first piece. @throws {MailboxError} `state.full` */
  async of(namespace: string, group: string): Promise<Room> {
    const known = this.#known.get(`${namespace} ${group}`);
    if (known && Date.now() - known.askedAt < freshMs) return known;
    return this.grow(namespace, group, 0, 0);
  }

  /** @throws {MailboxError} `state.full` when the namespace has no such room, also not after others gave theirs back */
  async grow(namespace: string, group: string, bytes: number, epoch: number): Promise<Room> {
    const room = await this.#reserve(namespace, group, bytes, epoch);
    if (room) return room;
    await this.reclaim(namespace);
    const again = await this.#reserve(namespace, group, bytes, epoch);
    return again ?? refuse("state.full", { limit: this.#limits.namespaceBytes });
  }

  /** The groups there are and their rooms as the directory writes them. */
  async groups(namespace: string): Promise<ReadonlyMap<string, string>> {
    const rooms = new Map(await this.#store.hash(directoryKeys(namespace).stateRooms));
    rooms.delete("*");
    return rooms;
  }

  /** Ends what is due in a group, and takes back what it does not use; a little is left to it, unless `all`. */
  async keep(namespace: string, group: string, seen: string, all = false): Promise<void> {
    const limits = this.#limits;
    const [held = 0, epoch = 0] = seen.split("|").map(Number);
    const used = await this.#used(namespace, group, "");
    const spare = used.isEmpty ? 0 : all ? limits.pieceBytes : 4 * limits.pieceBytes;
    if (held - piecesFor(used.bytes, limits.pieceBytes) < spare) return;
    const closed = await this.#used(namespace, group, String(epoch + 1));
    const keeps = closed.isEmpty ? 0 : piecesFor(closed.bytes, limits.pieceBytes);
    this.#known.delete(`${namespace} ${group}`);
    await this.#store.run(returnRoom, [directoryKeys(namespace).stateRooms], [group, seen, keeps, epoch + 1]);
  }

  /** Takes back what groups do not use: those that hold the most first. */
  async reclaim(namespace: string): Promise<void> {
    const groups = [...(await this.groups(namespace))]
      .sort(([, a], [, b]) => Number.parseInt(b, 10) - Number.parseInt(a, 10))
      .slice(0, groupsAtOnce);
    for (const [group, seen] of groups) await this.keep(namespace, group, seen, true);
  }

  async #reserve(namespace: string, group: string, bytes: number, epoch: number): Promise<Room | undefined> {
    const limits = this.#limits;
    const [word, given, since] = await this.#store.run(
      reserveRoom,
      [directoryKeys(namespace).stateRooms],
      [group, bytes, limits.pieceBytes, limits.namespaceBytes, epoch],
    );
    if (word !== "ROOM") return undefined;
    const room = { bytes: Number(given), epoch: Number(since) };
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(`${namespace} ${group}`, { ...room, askedAt: Date.now() });
    return room;
  }

  async #used(namespace: string, group: string, epoch: string): Promise<{ bytes: number; isEmpty: boolean }> {
    const [, bytes, empty] = await this.#store.run(
      keepState,
      stateGroupKeyList(stateGroupKeys(namespace, group)),
      [scriptLimits(this.#limits), 100, epoch],
    );
    return { bytes: Number(bytes), isEmpty: empty === "1" };
  }
}

function piecesFor(bytes: number, piece: number): number {
  return Math.max(1, Math.ceil(bytes / piece)) * piece;
}
