import { createHash } from "node:crypto";
import { RedisScriptCache } from "js-redis-server/core";
import type { CompiledScripts } from "./compiled-scripts.js";

interface Kept {
  readonly source: Buffer;
  /** what is run in its place, from its first call by hash on */
  runs?: Buffer;
}

/** Scripts by the hash of their text. What is called by its hash is compiled at the first such call and kept. */
export class KeptScripts extends RedisScriptCache {
  readonly #kept = new Map<string, Kept>();
  #compiled: CompiledScripts | undefined;

  /** The Lua runtime exists only after the state that this cache is part of. */
  compileWith(compiled: CompiledScripts): void {
    this.#compiled = compiled;
  }

  override load(script: Buffer): string {
    const sha = createHash("sha1").update(script).digest("hex");
    if (!this.#kept.has(sha)) this.#kept.set(sha, { source: Buffer.from(script) });
    return sha;
  }

  override get(sha: string): Buffer | null {
    const id = sha.toLowerCase();
    const kept = this.#kept.get(id);
    if (!kept) return null;
    kept.runs ??= this.#compiled?.keep(kept.source) ?? kept.source;
    return kept.runs;
  }

  override exists(sha: string): boolean {
    return this.#kept.has(sha.toLowerCase());
  }

  override existsAll(shas: readonly string[]): boolean[] {
    return shas.map((sha) => this.exists(sha));
  }

  override flush(): void {
    this.#kept.clear();
    this.#compiled?.clear();
  }

  override size(): number {
    return this.#kept.size;
  }
}
