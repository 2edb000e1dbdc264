import { closeSync, fdatasyncSync, fsyncSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { EffectBuffer } from "./effects.js";
import { journalDirectory, logPath, recover, removeReplaced, syncDirectory } from "./journal-files.js";
import { encodeFrame } from "./journal-frames.js";
import type { Keyspace } from "./keyspace.js";

/** Room that is written and synced ahead: what a command needs is there before it runs. */
const reserveBytes = 2 * 1024 * 1024;
const retryRoomEveryMs = 500;

export interface JournalOptions {
  readonly dataDir: string;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
  /** Compact when the logs hold more than this and more than four times the data. */
  readonly compactAboveBytes?: number;
}

/**
 * Effects on disk, before anyone is told of them.
 *
 * `commit` returns when everything sealed so far survives a crash of the machine, or throws, and then nothing of it
 * may be answered: the process must end and start again from the file. Room for writes is kept in reserve, so a full
 * disk shows (`isFull`) before a command has run, not after.
 */
export class Journal {
  readonly effects = new EffectBuffer();
  readonly #directory: string;
  readonly #log: JournalOptions["log"];
  readonly #compactAboveBytes: number;
  #generation: number;
  #number: bigint;
  #handle: number;
  #end: number;
  #reservedTo: number;
  #baseBytes: number;
  /** in the logs that the next base will replace, the one being written included */
  #logBytes: number;
  #worker: Worker | undefined;
  #full: { error: Error; triedAt: number } | undefined;
  #closed = false;

  /** Reads what is there into the keyspace, mends a torn end, and goes on from it. @throws {DamagedJournal} */
  static open(options: JournalOptions, keyspace: Keyspace): Journal {
    const directory = journalDirectory(options.dataDir);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const parent of [options.dataDir, dirname(options.dataDir)]) syncDirectory(parent);
    return new Journal(options, directory, keyspace);
  }

  private constructor(options: JournalOptions, directory: string, keyspace: Keyspace) {
    this.#directory = directory;
    this.#log = options.log;
    this.#compactAboveBytes = options.compactAboveBytes ?? 8 * 1024 * 1024;
    const recovered = recover(directory, keyspace);
    this.#generation = recovered?.lastGeneration ?? 1;
    this.#number = recovered?.lastNumber ?? 0n;
    this.#end = recovered?.end ?? 0;
    this.#baseBytes = recovered?.baseBytes ?? 0;
    this.#logBytes = recovered?.logBytes ?? 0;
    this.#handle = openSync(logPath(directory, this.#generation), recovered ? "r+" : "w", 0o600);
    if (recovered && recovered.tornBytes > 0) {
      options.log("cut off the torn end of the journal; it was never answered", {
        file: logPath(directory, this.#generation),
        atByte: this.#end,
        bytes: recovered.tornBytes,
      });
    }
    ftruncateSync(this.#handle, this.#end);
    fsyncSync(this.#handle);
    syncDirectory(directory);
    if (recovered) removeReplaced(directory, recovered.firstGeneration);
    this.#reservedTo = this.#end;
    this.#reserve();
  }

  /** Why writes must be refused at present, if they must. Tries for room again now and then. */
  get isFull(): boolean {
    if (this.#full && Date.now() - this.#full.triedAt >= retryRoomEveryMs) this.#reserve();
    return this.#full !== undefined;
  }

  /** Makes everything sealed durable. @throws when it cannot be: end the process, answer nothing */
  commit(): void {
    if (!this.effects.hasSealed) return;
    const frame = encodeFrame(++this.#number, this.effects.take());
    for (let written = 0; written < frame.length; ) {
      written += writeSync(this.#handle, frame, written, frame.length - written, this.#end + written);
    }
    fdatasyncSync(this.#handle);
    this.#end += frame.length;
    this.#logBytes += frame.length;
    if (this.#reservedTo - this.#end < reserveBytes / 2) this.#reserve();
    if (this.#logBytes > Math.max(this.#compactAboveBytes, 4 * this.#baseBytes)) this.#compact();
  }

  async close(): Promise<void> {
    this.effects.seal();
    this.commit();
    this.#closed = true;
    await this.#worker?.terminate();
    ftruncateSync(this.#handle, this.#end);
    closeSync(this.#handle);
  }

  #reserve(): void {
    const from = Math.max(this.#end, this.#reservedTo);
    const zeros = Buffer.alloc(Math.max(0, this.#end + reserveBytes - from));
    try {
      for (let written = 0; written < zeros.length; ) {
        written += writeSync(this.#handle, zeros, written, zeros.length - written, from + written);
        this.#reservedTo = from + written;
      }
      fdatasyncSync(this.#handle);
      if (this.#full) this.#log("there is room on the disk again: writes are accepted", {});
      this.#full = undefined;
    } catch (error) {
      if (!this.#full) {
        this.#log("no room on the disk: writes are refused until there is", {
          error: (error as Error).message,
        });
      }
      this.#full = { error: error as Error, triedAt: Date.now() };
    }
  }

  /** Goes on in a new log, and has the files before it rewritten as one base beside the service. */
  #compact(): void {
    if (this.#worker || this.#closed || this.#full) return;
    const generation = this.#generation + 1;
    let handle: number;
    try {
      handle = openSync(logPath(this.#directory, generation), "w", 0o600);
      syncDirectory(this.#directory);
    } catch (error) {
      this.#log("could not begin a new log; compaction is put off", { error: (error as Error).message });
      this.#logBytes = 0;
      return;
    }
    ftruncateSync(this.#handle, this.#end);
    closeSync(this.#handle);
    this.#handle = handle;
    this.#generation = generation;
    this.#end = 0;
    this.#reservedTo = 0;
    this.#logBytes = 0;
    this.#reserve();
    this.#worker = new Worker(new URL("./compact.js", import.meta.url), {
      workerData: { directory: this.#directory, generation },
    });
    this.#worker.unref();
    this.#worker.once("message", ({ bytes }: { bytes: number }) => {
      this.#baseBytes = bytes;
      removeReplaced(this.#directory, generation);
      this.#log("compacted the journal", { bytes });
    });
    this.#worker.once("error", (error) => {
      // Nothing is lost: the logs stay until a later compaction succeeds.
      this.#log("compaction failed; it is tried again later", { error: error.message });
    });
    this.#worker.once("exit", () => {
      this.#worker = undefined;
    });
  }
}
