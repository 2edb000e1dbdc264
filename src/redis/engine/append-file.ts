import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

const folder = "appendonlydir";
const chunkBytes = 256 * 1024;
/** what a line can be before it is complete */
const isBegun = /^(?:[*$]\d*|#[ -~]*)?\r?$/;

/**
 * Takes back a write that a killed server left half done at the end of its append-only file.
 *
 * A server that loads a file which ends within a transaction keeps the commands before the break in it, and appends its
 * next transaction behind them. It does not apply them, but the load after that one does: half of a script would come
 * into effect. So the file is cut where its last complete transaction ends, and the server is told to cut nothing.
 *
 * A file that is damaged anywhere else is left as it is, for the server to refuse.
 *
 * @param dataDir where the server keeps `appendonlydir`; no server may be running there
 * @returns how many bytes were taken back
 */
export function mendAppendFile(dataDir: string): number {
  const path = lastPart(join(dataDir, folder));
  if (!path) return 0;
  const file = openSync(path, "r+");
  try {
    const size = fstatSync(file).size;
    const end = endOfLastTransaction(file, size);
    if (end === size) return 0;
    ftruncateSync(file, end);
    fsyncSync(file);
    return size - end;
  } finally {
    closeSync(file);
  }
}

/** The file that the server appends to, according to its manifest. Only this one can end too early. */
function lastPart(directory: string): string | undefined {
  let manifest: string;
  try {
    manifest = readFileSync(join(directory, "appendonly.aof.manifest"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const name = [...manifest.matchAll(/^file (\S+) seq \d+ type i/gm)].at(-1)?.[1];
  return name && join(directory, name);
}

/** Where a cut belongs: the size of the file if it is complete, or if it is damaged in a way that no broken write explains. */
function endOfLastTransaction(file: number, size: number): number {
  const text = new Text(file, size);
  let end = 0;
  let open = false;
  for (;;) {
    const command = text.command();
    if (command === "end") return end;
    if (command === "damaged") return size;
    if (command === "MULTI") open = true;
    else if (command === "EXEC") open = false;
    if (!open) end = text.at;
  }
}

/** Commands of an append-only file, one after another: `*2`, `$3`, `DEL`, `$1`, `a`, each line ended by CR LF. */
class Text {
  /** where the next command begins */
  at = 0;
  readonly #file: number;
  readonly #size: number;
  readonly #chunk = Buffer.allocUnsafe(chunkBytes);
  #from = 0;
  #length = 0;

  constructor(file: number, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** The next command's name in capitals; `end` where the file ends before the command does. */
  command(): string {
    let at = this.at;
    let name = "";
    let words = 1;
    for (let n = 0; n <= words; n++) {
      const line = this.#line(at);
      if (line === undefined) return "end";
      at += line.length + 2;
      const number = Number(line.slice(1));
      if (n === 0) {
        if (line.startsWith("#")) return this.#passed(at, "#"); // a note of the time
        if (!/^\*[1-9]\d*$/.test(line)) return "damaged";
        words = number;
        continue;
      }
      if (!/^\$\d+$/.test(line)) return "damaged";
      if (at + number + 2 > this.#size) return "end";
      if (n === 1) name = this.#bytes(at, Math.min(number, 16)).toString("latin1").toUpperCase();
      at += number + 2;
    }
    return this.#passed(at, name);
  }

  #passed(at: number, name: string): string {
    this.at = at;
    return name;
  }

  /** A line without its end, or nothing where the file ends within it. Nothing that can be a line is an empty one. */
  #line(at: number): string | undefined {
    const text = this.#bytes(at, 64).toString("latin1");
    const end = text.indexOf("\r\n");
    if (end >= 0) return text.slice(0, end);
    return isBegun.test(text) ? undefined : "";
  }

  #bytes(at: number, most: number): Buffer {
    const count = Math.min(most, this.#size - at);
    if (at < this.#from || at + count > this.#from + this.#length) {
      this.#from = at;
      this.#length = readSync(this.#file, this.#chunk, 0, chunkBytes, at);
    }
    return this.#chunk.subarray(at - this.#from, Math.min(at - this.#from + count, this.#length));
  }
}
