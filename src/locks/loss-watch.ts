import type { Caller } from "../identity/index.js";
import { LastTime } from "../redis/index.js";

interface Asked {
  readonly namespace: string;
  readonly hasOthers: boolean;
  readonly at: LastTime;
}

/**
 * Which runs of this process have asked what earlier runs of their agent lost. Each asks at its first reply, and again when
 * a hint says that another run of the agent has lost something since; where no other had anything to lose nobody may listen
 * for hints, and it asks again by a reply that comes some time later.
 */
export class LossWatch {
  readonly #againMs: number;
  readonly #asked = new Map<string, Asked>();

  constructor(againMs: number) {
    this.#againMs = againMs;
  }

  isDue({ run }: Caller): boolean {
    const asked = this.#asked.get(run.id);
    return !asked || (!asked.hasOthers && asked.at.agoMs() >= this.#againMs);
  }

  /** @param hasOthers whether other runs of its agent have something to lose: then hints that may have been lost count too */
  asked({ principal: { namespace }, run }: Caller, hasOthers: boolean): void {
    const at = new LastTime();
    at.isNow();
    this.#asked.set(run.id, { namespace, hasOthers, at });
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
