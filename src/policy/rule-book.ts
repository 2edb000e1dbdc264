import { refuse } from "../errors/index.js";
import type { Admit, Caller } from "../identity/index.js";
import { FreshCopy, type Hints, loadScript, policyKeyList, policyKeys, type Store } from "../redis/index.js";
import type { CompiledRules } from "./compile-rules.js";
import { loadCompiler } from "./load-compiler.js";

const putScript = loadScript(import.meta.url, "put-rules.lua");
const getScript = loadScript(import.meta.url, "get-rules.lua");
const listScript = loadScript(import.meta.url, "list-rules.lua");

/** So many versions are kept, the one in force among them. */
export const versionsKept = 100;

/** What holds where no rules were ever put. */
const firstRules = "version: 1\nprofile: standard\n";

const noteMost = 500;

/** So long a call waits for rules that are being read, while there are others to decide by. */
const patienceMs = 100;

/** Our own repetition of a put comes within seconds. */
const attemptMs = 60_000;

/** The rules that decide now. */
export interface InForce {
  /** 0 is the profile `standard`, as long as nothing was ever put. */
  readonly version: number;
  readonly rules: CompiledRules;
}

/** One version of the rules of a namespace. */
export interface RulesVersion {
  readonly version: number;
  /** ms */
  readonly at: number;
  readonly by: string;
  readonly note?: string;
  /** The version it was made from. */
  readonly over: number;
  /** Of which earlier version it is a repetition. */
  readonly rollbackTo?: number;
  readonly bytes: number;
}

/** Version 0, which is there without having been put. */
export const firstVersion: RulesVersion & { readonly text: string } = {
  ...{ version: 0, at: 0, by: "", over: 0, bytes: Buffer.byteLength(firstRules) },
  text: firstRules,
};

export interface NewRules {
  readonly text: string;
  /** The version they were made from: whatever else is in force meanwhile is not overwritten. */
  readonly over: number;
  readonly note?: string;
}

/** `same`: what is in force says exactly this already, so that nothing was put. */
export interface PutRules {
  readonly state: "put" | "same";
  readonly version: number;
}

export interface RuleBookDependencies {
  readonly store: Store;
  readonly hints: Hints;
  readonly admit: Admit;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/** What this process decides by, and what the store said when it was read. */
interface Loaded extends InForce {
  readonly stored: string;
  /** Of which reading it came; later ones have higher numbers. */
  readonly order: number;
}

interface Loading {
  /** What the store said when it was begun. */
  readonly stored: string;
  readonly loaded: Promise<Loaded>;
  /** Comes when the text is there and has to be read, which may take long; never where it is known. */
  readonly compiling: Promise<void>;
}

/**
 * The rules of each namespace, in versions. The newest version is in force; none is ever changed.
 *
 * A rule set that does not compile is never put. One that another program has put and this one cannot read leaves in
 * force here what was before, and the log says why.
 */
export class RuleBook {
  readonly #store: Store;
  readonly #hints: Hints;
  readonly #admit: Admit;
  readonly #log: RuleBookDependencies["log"];
  readonly #known = new Map<string, FreshCopy<Loaded>>();
  /** What was read last, and what is being read. */
  readonly #newest = new Map<string, Loaded>();
  readonly #loading = new Map<string, Loading>();
  /** What this process put last: it is known here, and need not be read again. */
  readonly #put = new Map<string, InForce & { readonly text: string }>();
  #loads = 0;

  constructor({ store, hints, admit, log }: RuleBookDependencies) {
    this.#store = store;
    this.#hints = hints;
    this.#admit = admit;
    this.#log = log;
  }

  /** The rules as they were at most a second ago. @throws {MailboxError} `store.*` */
  inForce(namespace: string): Promise<InForce> | InForce {
    return this.#copy(namespace).get();
  }

  /** The number of the newest version there is now. @throws {MailboxError} `store.*` */
  async newest(namespace: string): Promise<number> {
    return Number((await this.#store.command("HGET", policyKeys(namespace).rules, "current")) ?? 0);
  }

  /**
   * Puts a rule set into force: in this process at once, in every other within a second.
   *
   * @throws {MailboxError} `policy.invalid`, `policy.superseded` when another version than `over` is in force,
   *   `access.denied`, `input.invalid`
   */
  async put(caller: Caller, { text, over, note }: NewRules): Promise<PutRules> {
    const { row } = await this.#admit(caller, "admin.policy", "*");
    const compiled = { text, rules: await compile(text) };
    return this.#write(caller, row, compiled, over, {
      ...(note === undefined ? {} : { note: checked(note) }),
    });
  }

  /**
   * Puts what an earlier version said into force again, as a version of its own. Throws as `put`.
   *
   * @param version 0 for what held before anything was put
   * @throws {MailboxError} `policy.unknown_version`
   */
  async rollback(caller: Caller, version: number, { over, note }: Omit<NewRules, "text">): Promise<PutRules> {
    const { row } = await this.#admit(caller, "admin.policy", "*");
    const text = version === 0 ? firstRules : (await this.#get(caller, version, "")).text;
    const compiled = { text, rules: await compile(text) };
    const said = note === undefined ? {} : { note: checked(note) };
    return this.#write(caller, row, compiled, over, { ...said, rollbackTo: version });
  }

  /** The versions that are kept, the newest first. @throws {MailboxError} `access.denied` */
  async history(caller: Caller): Promise<readonly RulesVersion[]> {
    const { row } = await this.#admit(caller, "admin.policy", "*");
    const keys = policyKeyList(policyKeys(caller.principal.namespace));
    const [, words] = await this.#store.run(listScript, keys, [versionsKept, row]);
    const flat = words as readonly string[];
    return Array.from({ length: flat.length / 4 }, (_, n) => {
      const [version, at, about, bytes] = flat.slice(4 * n, 4 * n + 4) as [string, string, string, string];
      return versionOf(version, at, about, Number(bytes));
    });
  }

  /**
   * One version with its text, or the one in force.
   *
   * @throws {MailboxError} `policy.unknown_version`, `access.denied`
   */
  async read(caller: Caller, version?: number): Promise<RulesVersion & { readonly text: string }> {
    const { row } = await this.#admit(caller, "admin.policy", "*");
    return this.#get(caller, version, row);
  }

  /** What the given versions said, as far as they are kept; for whoever was admitted to look. */
  async texts(namespace: string, versions: Iterable<number>): Promise<ReadonlyMap<number, string>> {
    const texts = new Map<number, string>();
    for (const version of versions) {
      const text = version === 0 ? firstRules : await this.#text(namespace, version);
      if (text !== undefined) texts.set(version, text);
    }
    return texts;
  }

  async #get(
    caller: Caller,
    version: number | undefined,
    row: string,
  ): Promise<RulesVersion & { readonly text: string }> {
    const keys = policyKeyList(policyKeys(caller.principal.namespace));
    const [word, found, ...more] = await this.#store.run(getScript, keys, [version ?? "", row]);
    if (word === "NONE") {
      if (found === "0") return firstVersion;
      refuse("policy.unknown_version", { version: Number(found) });
    }
    const [at, about, text] = more as [string, string, string];
    return { ...versionOf(String(found), at, about, Buffer.byteLength(text)), text };
  }

  async #write(
    caller: Caller,
    row: string,
    { text, rules }: { readonly text: string; readonly rules: CompiledRules },
    over: number,
    said: Pick<RulesVersion, "note" | "rollbackTo">,
  ): Promise<PutRules> {
    const { namespace, agent } = caller.principal;
    const about = JSON.stringify({ by: agent, over, ...said });
    const [word, version, ...more] = await this.#store.run(putScript, policyKeyList(policyKeys(namespace)), [
      this.#store.attempt(),
      attemptMs,
      over,
      about,
      text,
      versionsKept,
      row,
    ]);
    if (word === "MOVED") {
      const { by } = versionOf(String(version), String(more[1]), String(more[0]), 0);
      refuse("policy.superseded", { over, current: Number(version), by });
    }
    const put = { version: Number(version), text, rules };
    if (put.version >= (this.#put.get(namespace)?.version ?? 0)) this.#put.set(namespace, put);
    this.#known.get(namespace)?.changed();
    return { state: word === "SAME" ? "same" : "put", version: Number(version) };
  }

  #copy(namespace: string): FreshCopy<Loaded> {
    const known = this.#known.get(namespace);
    if (known) return known;
    const copy = new FreshCopy<Loaded>(() => this.#ask(namespace));
    this.#known.set(namespace, copy);
    // A hint brings a change sooner; without it the age does.
    void this.#hints.listen(policyKeys(namespace).channel, (message) => {
      if (message === "rules" || message === "") copy.changed();
    });
    return copy;
  }

  /**
   * What is in force by what the store says now. Where that takes long to read, the rules before it stay in force until it
   * is read, so that nobody waits for it; where there are none before it, there is nothing to decide by meanwhile.
   */
  async #ask(namespace: string): Promise<Loaded> {
    const key = policyKeys(namespace).rules;
    const [current, stamp] = (await this.#store.command("HMGET", key, "current", "stamp")) as (
      | string
      | null
    )[];
    const stored = `${current ?? 0}|${stamp ?? ""}`;
    const last = this.#newest.get(namespace);
    if (stored === last?.stored) return last;
    const loading = this.#loadingOf(namespace, stored, Number(current ?? 0));
    return last ? this.#inTime(loading, last, namespace) : loading.loaded;
  }

  /** One at a time, unless what is there now was put here and is known. */
  #loadingOf(namespace: string, stored: string, current: number): Loading {
    const loading = this.#loading.get(namespace);
    const isKnown = this.#put.get(namespace)?.version === current;
    return loading && (loading.stored === stored || !isKnown)
      ? loading
      : this.#begin(namespace, stored, current);
  }

  #begin(namespace: string, stored: string, current: number): Loading {
    const order = ++this.#loads;
    let compiles = (): void => undefined;
    const compiling = new Promise<void>((resolve) => {
      compiles = resolve;
    });
    const loaded = this.#load(namespace, current, compiles).then((found) => {
      const newest = { ...found, stored, order };
      const held = this.#newest.get(namespace);
      // What was begun later is the newer one, also where it was read sooner.
      if (held && held.order > order) return held;
      this.#newest.set(namespace, newest);
      return newest;
    });
    const loading = { stored, loaded, compiling };
    this.#loading.set(namespace, loading);
    const over = (): void => {
      if (this.#loading.get(namespace) === loading) this.#loading.delete(namespace);
    };
    loaded.then(over, over);
    return loading;
  }

  /** What is being read, if that is done in time; else what was before it, and whoever asks once it is read is told. */
  #inTime({ loaded, compiling }: Loading, last: Loaded, namespace: string): Promise<Loaded> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      void compiling.then(() => {
        timer = setTimeout(() => {
          const changed = (): void => this.#copy(namespace).changed();
          loaded.then(changed, changed);
          resolve(last);
        }, patienceMs);
      });
      const over = (): void => clearTimeout(timer);
      loaded.then(resolve, reject).finally(over);
    });
  }

  /** The newest version that this program can read; once it has one, it goes back behind that one for no other reason. */
  async #load(namespace: string, current: number, compiles: () => void): Promise<InForce> {
    const last = this.#newest.get(namespace);
    const put = this.#put.get(namespace);
    for (let version = current; version > Math.max(0, current - versionsKept); version--) {
      const text = await this.#text(namespace, version);
      if (text === undefined) continue;
      try {
        if (put?.version === version && put.text === text) return { version, rules: put.rules };
        compiles();
        return { version, rules: await compile(text) };
      } catch (error) {
        const held = last?.version ?? "an earlier one";
        this.#log("the rules in the store cannot be read by this program, so earlier ones stay in force", {
          namespace,
          version,
          in_force: held,
          error: (error as Error).message,
        });
        if (last) return last;
      }
    }
    compiles();
    return { version: 0, rules: await compiledFirst() };
  }

  async #text(namespace: string, version: number): Promise<string | undefined> {
    const text = await this.#store.command("HGET", policyKeys(namespace).rules, `text:${version}`);
    return (text as string | null) ?? undefined;
  }
}

async function compile(text: string): Promise<CompiledRules> {
  return (await loadCompiler()).compileInSlices(text);
}

let first: Promise<CompiledRules> | undefined;

/** What holds before anything is put, which is the same in every namespace: read once by this process. */
function compiledFirst(): Promise<CompiledRules> {
  first ??= compile(firstRules);
  return first;
}

function versionOf(version: string, at: string, about: string, bytes: number): RulesVersion {
  const said = JSON.parse(about) as Pick<RulesVersion, "by" | "note" | "over" | "rollbackTo">;
  return { version: Number(version), at: Number(at), ...said, bytes };
}

function checked(note: string): string {
  if (note.length > noteMost)
    refuse("input.invalid", { problem: `the note has more than ${noteMost} characters` });
  return note;
}
