import type { Caller } from "../identity/index.js";

/**
 * Which runs of this process have asked what earlier runs of their agent lost. Each asks at its first reply, and again
 * only when a hint says that another run of the agent has lost something since.
 */
export class LossWatch {
  readonly #asked = new Map<string, { readonly namespace: string; readonly hasOthers: boolean }>();

  isDue(caller: Caller): boolean {
    return !this.#asked.has(caller.run.id);
  }

  /** @param hasOthers whether other runs of its agent have something to lose: then hints that may have been lost count too */
  asked({ principal: { namespace }, run }: Caller, hasOthers: boolean): void {
    this.#asked.set(run.id, { namespace, hasOthers });
  }

  forget(run: string): void {
    this.#asked.delete(run);
  }

  /** A hint: `@AGENT` among its words names an agent of which a run lost something; undefined where hints may have been lost. */
  heard(namespace: string, words: ReadonlySet<string> | undefined): void {
    const agents = words && [...words].filter((word) => word.startsWith("@")).map((word) => word.slice(1));
    if (agents?.length === 0) return;
    for (const [run, asked] of this.#asked) {
      const concerns = agents ? agents.some((agent) => run.startsWith(`${agent}/`)) : asked.hasOthers;
      if (concerns && asked.namespace === namespace) this.#asked.delete(run);
    }
  }
}
