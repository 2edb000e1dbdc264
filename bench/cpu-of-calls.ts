import { setTimeout as delay } from "node:timers/promises";
import { keepApart } from "./keep-apart.js";
import { cpuUsOf, inTurn } from "./measure.js";

/** One kind of call, and the processes whose CPU it costs. */
export interface Kind {
  readonly pids: readonly number[];
  readonly call: () => Promise<unknown>;
  /** A call that does nothing at the same processes. */
  readonly nothing: () => Promise<unknown>;
}

/** What one kind of call costs. */
export interface Series {
  /** For each round the mean of its calls. */
  readonly cpuUs: number[];
  /** The same of the store. */
  readonly storeUs: number[];
  readonly latencyMs: number[];
}

export interface Options {
  readonly quick: boolean;
  /** The store's process. */
  readonly storePid: number;
  /** Servers that are compared by how many they are share the processors as the scheduler has it. */
  readonly shared?: boolean;
}

/** Before each call that is measured the processes rest so long. */
export const restMs = 50;

/** What a process does so long after its reply counts for the call; what it does by itself all the time hardly does. */
const afterMs = 5;

/**
 * Makes one call of each kind in turn, with a rest before it, as agents do, which think between their calls: what
 * else the machine does meets all kinds alike, and each finds a process in the same state, since a call that does
 * nothing goes before each of them.
 */
export async function measureRested<Name extends string>(
  kinds: Readonly<Record<Name, Kind>>,
  options: Options,
): Promise<Readonly<Record<Name, Series>>> {
  const [rounds, perRound, warming] = options.quick ? [3, 5, 50] : [10, 10, 2_000];
  const names = Object.keys(kinds) as Name[];
  const taken = emptySeries(names);
  const release = keepServersApart(kinds, options);
  try {
    for (let n = 0; n < warming; n++) for (const name of names) await kinds[name].call();
    for (let round = 0; round < rounds; round++) {
      const meters = new Map(names.map((name) => [name, new Meter(kinds[name], options)]));
      for (let n = 0; n < perRound; n++)
        for (const name of names) {
          await kinds[name].nothing();
          await delay(restMs);
          await meters.get(name)!.during(async () => {
            await timed(kinds[name], taken[name].latencyMs);
            await delay(afterMs);
          });
        }
      for (const name of names) meters.get(name)!.tell(taken[name], perRound);
    }
  } finally {
    release();
  }
  return taken;
}

/**
 * Makes many calls of one kind before those of the next, as fast as they are answered, `inFlight` at once for each
 * process. Each kind is called as often as the others, before anything is counted and after: the compiler makes code
 * faster by how often it ran. And so often a round that some collections of garbage are in each, also of the kind that
 * makes least of it.
 */
export async function measureAtOnce<Name extends string>(
  kinds: Readonly<Record<Name, Kind>>,
  options: Options & { readonly inFlight?: number; readonly perRound?: number },
): Promise<Readonly<Record<Name, Series>>> {
  const [rounds, warming] = options.quick ? [3, 2] : [12, 4];
  const perRound = options.quick ? 64 : (options.perRound ?? 1_000);
  const names = Object.keys(kinds) as Name[];
  const taken = emptySeries(names);
  const part = (name: Name) => async (round: number) => {
    const kind = kinds[name];
    const inFlight = (options.inFlight ?? 1) * kind.pids.length;
    const count = perRound * kind.pids.length;
    const latencies: number[] = [];
    const one = async (): Promise<void> => {
      for (let n = 0; n < count / inFlight; n++) await timed(kind, latencies);
    };
    const meter = new Meter(kind, options);
    await meter.during(() => Promise.all(Array.from({ length: inFlight }, one)));
    if (round < warming) return;
    taken[name].latencyMs.push(...latencies);
    meter.tell(taken[name], count);
  };
  const release = keepServersApart(kinds, options);
  try {
    await inTurn(rounds + warming, names.map(part));
  } finally {
    release();
  }
  return taken;
}

/** Their clients are this process. */
function keepServersApart(kinds: Readonly<Record<string, Kind>>, { storePid, shared }: Options): () => void {
  if (shared) return () => undefined;
  const servers = new Set(Object.values<Kind>(kinds).flatMap(({ pids }) => pids));
  return keepApart([...servers], [storePid, process.pid]);
}

function emptySeries<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Series>> {
  const taken = {} as Record<Name, Series>;
  for (const name of names) taken[name] = { cpuUs: [], storeUs: [], latencyMs: [] };
  return taken;
}

async function timed({ call }: Kind, latencies: number[]): Promise<void> {
  const from = performance.now();
  await call();
  latencies.push(performance.now() - from);
}

/** CPU that is used while something is done. */
class Meter {
  readonly #kind: Kind;
  readonly #store: number;
  #own = 0;
  #stores = 0;

  constructor(kind: Kind, { storePid }: Options) {
    this.#kind = kind;
    this.#store = storePid;
  }

  async during(work: () => Promise<unknown>): Promise<void> {
    const [own, stores] = [cpuUsOf(...this.#kind.pids), cpuUsOf(this.#store)];
    await work();
    this.#own += cpuUsOf(...this.#kind.pids) - own;
    this.#stores += cpuUsOf(this.#store) - stores;
  }

  /** Adds a round of so many calls. */
  tell({ cpuUs, storeUs }: Series, count: number): void {
    cpuUs.push(this.#own / count);
    storeUs.push(this.#stores / count);
  }
}
