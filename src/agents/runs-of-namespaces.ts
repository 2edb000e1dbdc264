import type { Caller, Principal } from "../identity/index.js";
import { type RunEnd, Runs, type RunsDependencies } from "./runs.js";

/**
 * The runs of a process that serves several namespaces: each beats and sweeps for itself, from the first run in it on, or
 * from when it is first attended to. Whoever proved nothing brings no namespace to life but the configured one.
 */
export class RunsOfNamespaces {
  readonly #depsOf: (namespace: string) => RunsDependencies;
  readonly #runs = new Map<string, Runs>();

  constructor(depsOf: (namespace: string) => RunsDependencies) {
    this.#depsOf = depsOf;
  }

  of(namespace: string): Runs {
    let runs = this.#runs.get(namespace);
    if (!runs) {
      runs = new Runs(this.#depsOf(namespace));
      this.#runs.set(namespace, runs);
    }
    return runs;
  }

  /** Looks after a namespace from now on, also while no run of this process is there. */
  attend(namespace: string): void {
    this.of(namespace).attend();
  }

  begin(principal: Principal, isGuest = false): Promise<Caller> {
    return this.of(principal.namespace).begin(principal, isGuest);
  }

  seen(caller: Pick<Caller, "principal">): () => void {
    return this.of(caller.principal.namespace).seen(caller);
  }

  seenAgoMs(caller: Caller): Promise<number> {
    return this.of(caller.principal.namespace).seenAgoMs(caller);
  }

  active(caller: Caller): Promise<void> | undefined {
    return this.of(caller.principal.namespace).active(caller);
  }

  has(caller: Caller): boolean {
    return this.#runs.get(caller.principal.namespace)?.has(caller) ?? false;
  }

  howEnded(caller: Caller): RunEnd | undefined {
    return this.#runs.get(caller.principal.namespace)?.howEnded(caller);
  }

  end(caller: Caller, how?: RunEnd): Promise<void> {
    return this.of(caller.principal.namespace).end(caller, how);
  }

  /** What is open at a run that is over is given back, once more, by a later beat. */
  endAgain(caller: Caller): void {
    this.#runs.get(caller.principal.namespace)?.endAgain(caller);
  }

  releaseGone(namespace: string, runs: readonly string[]): Promise<boolean> {
    return this.of(namespace).releaseGone(runs);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((runs) => runs.close()));
  }
}
