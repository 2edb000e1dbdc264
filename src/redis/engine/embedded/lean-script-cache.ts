import { createHash } from "node:crypto";
import { RedisScriptCache } from "js-redis-server/core";
import { withoutComments } from "./lua-comments.js";

/**
 * Scripts by the hash of what was loaded, kept without their comments.
 *
 * The Lua runtime hashes and compiles a script on every call (about 40 µs per kilobyte): what it need not read, it
 * is not given. Line numbers in errors stay true; the hash in an error is that of the shortened text.
 */
export class LeanScriptCache extends RedisScriptCache {
  readonly #scripts = new Map<string, Buffer>();

  override load(script: Buffer): string {
    const sha = createHash("sha1").update(script).digest("hex");
    if (!this.#scripts.has(sha)) {
      this.#scripts.set(sha, Buffer.from(withoutComments(script.toString("latin1")), "latin1"));
    }
    return sha;
  }

  override get(sha: string): Buffer | null {
    return this.#scripts.get(sha.toLowerCase()) ?? null;
  }

  override exists(sha: string): boolean {
    return this.#scripts.has(sha.toLowerCase());
  }

  override existsAll(shas: readonly string[]): boolean[] {
    return shas.map((sha) => this.exists(sha));
  }

  override flush(): void {
    this.#scripts.clear();
  }

  override size(): number {
    return this.#scripts.size;
  }
}
