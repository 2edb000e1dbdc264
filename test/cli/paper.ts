import { Writable } from "node:stream";

/** Keeps what is written on it. */
export class Paper extends Writable {
  readonly #parts: Buffer[] = [];

  override _write(part: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#parts.push(part);
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
