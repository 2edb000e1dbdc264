import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { isRunning, type ProcessIdentity, thisProcess } from "./process-identity.js";

/** A claim made elsewhere, where we cannot see its process, counts while it has been refreshed this recently. */
const foreignClaimMs = 30_000;

export interface Claimed<Facts> {
  readonly owner: ProcessIdentity;
  readonly facts: Facts;
}

/** Something of which one process at a time may say "mine". */
export interface Claim {
  /** Whether it is still ours: the file may have been taken away with its directory. */
  holds(): boolean;
  /** Lets processes that cannot see ours know that it lives. */
  refresh(): void;
  release(): void;
}

/**
 * Claims the file for this process, or returns undefined while a living process has it.
 *
 * The file appears whole, by `link`, so nobody reads half a claim; the claim of a process that has ended is taken
 * away first, by one process at a time, so a new claim cannot be mistaken for the old one.
 */
export function tryClaim(path: string, facts: object = {}): Claim | undefined {
  const text = JSON.stringify({ owner: thisProcess(), facts });
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (tryLink(draft, path)) return claimed(path, text);
      if (readClaim(path)) return undefined;
      removeStale(path);
    }
    return undefined;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The claim of a living process, if there is one. */
export function readClaim<Facts>(path: string): Claimed<Facts> | undefined {
  try {
    const claim = JSON.parse(readFileSync(path, "utf8")) as Claimed<Facts>;
    const running = isRunning(claim.owner) ?? Date.now() - statSync(path).mtimeMs < foreignClaimMs;
    return running ? claim : undefined;
  } catch {
    return undefined; // absent, or not one of ours: a claim appears whole or not at all
  }
}

function claimed(path: string, text: string): Claim {
  const holds = (): boolean => {
    try {
      return readFileSync(path, "utf8") === text;
    } catch {
      return false;
    }
  };
  return {
    holds,
    refresh: () => {
      if (holds()) utimesSync(path, new Date(), new Date());
    },
    release: () => {
      if (holds()) rmSync(path, { force: true });
    },
  };
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Takes a dead process's claim away.
 *
 * Two who both saw it dead must not act one after the other, or the second would take away the claim the first has
 * made meanwhile: whoever removes holds `<path>.removing` and looks again. That one is held for microseconds; should
 * its holder die in them, it is moved aside, which two can at worst do to each other's.
 */
function removeStale(path: string): void {
  const guard = `${path}.removing`;
  const draft = `${guard}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, JSON.stringify({ owner: thisProcess(), facts: {} }), { mode: 0o600 });
  try {
    if (tryLink(draft, guard)) {
      try {
        if (!readClaim(path)) rmSync(path, { force: true });
      } finally {
        rmSync(guard, { force: true });
      }
    } else if (!readClaim(guard)) {
      renameSync(guard, draft);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
