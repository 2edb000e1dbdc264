import { createHash, randomUUID } from "node:crypto";
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
 * The file appears whole, by `link` or `rename`, so nobody reads half a claim. Where it is that of a process that has
 * ended, one process alone may replace it: the one that claims the file named after that very claim, by the same rules.
 * Should it end before it has, the next one is found in the same way, from its claim.
 */
export function tryClaim(path: string, facts: object = {}): Claim | undefined {
  if (readClaim(path)) return undefined;
  const text = JSON.stringify({ id: randomUUID(), owner: thisProcess(), facts });
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (tryLink(draft, path)) return claimed(path, text);
      const found = textOf(path);
      if (found === undefined) continue; // let go meanwhile
      if (living(path, found)) return undefined;
      if (replace(path, found, draft)) return claimed(path, text);
    }
    return undefined;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The claim of a living process, if there is one. */
export function readClaim<Facts>(path: string): Claimed<Facts> | undefined {
  const text = textOf(path);
  return text === undefined ? undefined : living(path, text);
}

function living<Facts>(path: string, text: string): Claimed<Facts> | undefined {
  try {
    const claim = JSON.parse(text) as Claimed<Facts>;
    const running = isRunning(claim.owner) ?? Date.now() - statSync(path).mtimeMs < foreignClaimMs;
    return running ? claim : undefined;
  } catch {
    return undefined; // gone, or not one of ours: a claim appears whole or not at all
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function claimed(path: string, text: string): Claim {
  const holds = (): boolean => textOf(path) === text;
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
 * Puts the draft where the claim of a dead process is, and returns whether it did.
 *
 * No claim is made twice, so the right to replace this one is wanted once. Whoever comes late, having read the claim
 * before it was replaced, can get that right when it is free again, and finds then that the claim is another.
 */
function replace(path: string, dead: string, draft: string): boolean {
  const right = tryClaim(`${path}.after-${createHash("sha256").update(dead).digest("hex").slice(0, 16)}`);
  if (!right) return false;
  try {
    if (textOf(path) !== dead) return false;
    renameSync(draft, path);
    return true;
  } finally {
    right.release();
  }
}
