import type { RedisExecutionContext, RedisLuaRuntime } from "js-redis-server/core";

/** A table's place in the memory of the Lua runtime, and in it the type tag and the mark that forbids writing. */
const tableTag = { at: 4, value: 5 };
const readOnlyMark = { at: 8, set: 1 };

/** Where scripts are kept, in Lua: the globals are closed to writing, but this table in them is not. */
const shelf = "__compiled";

/**
 * Scripts that are compiled once.
 *
 * As shipped, the Lua runtime hashes and compiles a script on every call: 0.4 to 1 ms for the longer ones, more than
 * they take to run. Its globals outlive a call, but are closed to writing, by a mark in its memory; so once, at the
 * start, the mark is lifted to put one table into them. That is an internal of the pinned version: when memory does
 * not look as expected, scripts are compiled on each call as shipped, and a test notices.
 */
export class CompiledScripts {
  readonly #runtime: RedisLuaRuntime;
  readonly #works: boolean;
  #kept = 0;

  constructor(runtime: RedisLuaRuntime) {
    this.#runtime = runtime;
    this.#works = this.#openShelf();
  }

  /**
   * A script of a few bytes that runs the compiled one; undefined when this one cannot be kept. The fewer the better: the
   * runtime hashes them at each call.
   */
  keep(source: Buffer): Buffer | undefined {
    if (!this.#works) return undefined;
    const place = ++this.#kept;
    const kept = this.#run(
      `local compiled = loadstring(ARGV[1], "@user_script") if not compiled then return 0 end ${shelf}[${place}] = compiled return 1`,
      [source],
    );
    return kept === 1 ? Buffer.from(`return ${shelf}[${place}]()`) : undefined;
  }

  clear(): void {
    if (this.#works) this.#run(`for place in pairs(${shelf}) do ${shelf}[place] = nil end return 1`);
  }

  #openShelf(): boolean {
    const { exports } = (this.#runtime as unknown as { engine: { exports: { HEAPU8: Uint8Array } } }).engine;
    const place = Number(/0x[0-9a-f]+/.exec(String(this.#run("return tostring(_G)")))?.[0]);
    const marked = place + readOnlyMark.at;
    const word = (): number => new DataView(exports.HEAPU8.buffer).getUint32(marked, true);
    if (
      !(place > 0) ||
      exports.HEAPU8[place + tableTag.at] !== tableTag.value ||
      word() !== readOnlyMark.set
    ) {
      return false;
    }
    exports.HEAPU8[marked] = 0;
    try {
      return this.#run(`rawset(_G, "${shelf}", {}) return 1`) === 1;
    } finally {
      exports.HEAPU8[marked] = readOnlyMark.set;
    }
  }

  #run(script: string, args: readonly Buffer[] = []): unknown {
    // No command is called, so none of the context is looked at.
    return this.#runtime.eval(Buffer.from(script), [], args, {} as RedisExecutionContext);
  }
}
