import type { StateContext } from "./context.js";

const groupsAtOnce = 20;

/**
 * Does in some groups, in turn, what time alone has made due, so that watchers of an entry hear of its expiry and room
 * nobody uses is given back. Called by the one process that sweeps; whoever writes to a group does the same for it.
 */
export class GroupKeeper {
  readonly #context: StateContext;
  #left: [string, string][] = [];

  constructor(context: StateContext) {
    this.#context = context;
  }

  async sweep(namespace: string): Promise<void> {
    if (this.#left.length === 0) this.#left = [...(await this.#context.rooms.groups(namespace))];
    for (const [group, seen] of this.#left.splice(0, groupsAtOnce))
      await this.#context.rooms.keep(namespace, group, seen);
  }
}
