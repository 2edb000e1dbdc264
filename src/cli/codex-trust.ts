import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { Unreadable } from "./edit-json.js";
import { tomlBelow } from "./edit-toml.js";

/** Where a hook stands in its file. */
export interface HookSpot {
  readonly event: string;
  /** The place of its group below the event, and its own in the group, from 0. */
  readonly group: number;
  readonly index: number;
}

/**
 * Whether somebody has trusted the hook at this place of Codex's hooks.json, as Codex 0.169.0 writes it down in the
 * configuration beside it. Whether it was changed since is not told: only Codex knows by what it compares. Where the
 * configuration cannot be read there is nothing to say against it.
 */
export function isTrustedByCodex(file: string, { event, group, index }: HookSpot): boolean {
  const config = join(dirname(file), "config.toml");
  if (!existsSync(config)) return false;
  const name = event.replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
  try {
    const trusted = tomlBelow(readFileSync(config, "utf8"), ["hooks", "state"]);
    // It knows the folder by the name it was given, or in CODEX_HOME by the real one.
    const names = [file, join(realpathSync(dirname(file)), "hooks.json")];
    return names.some((path) => trusted.includes(`${path}:${name}:${group}:${index}`));
  } catch (error) {
    if (error instanceof Unreadable || (error as NodeJS.ErrnoException).code !== undefined) return true;
    throw error;
  }
}
