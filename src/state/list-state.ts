import { parseStateKey, parseStatePrefix, stateGroupOf } from "../addresses/index.js";
import { isRefusal, refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { StateContext } from "./context.js";
import type { StateEntry, StatePage } from "./contract.js";
import { shownEntry } from "./stored-entry.js";

const listScript = loadScript(import.meta.url, "list-state.lua");

/**
 * A page of the entries whose keys begin with the prefix, in the order of the keys. What the caller may not read is left
 * out.
 *
 * The cursor is the last key that was looked at: an entry that is there from the first page to the last is on exactly one
 * of them, and no key is on two, whatever is written, deleted and created meanwhile.
 *
 * @throws {MailboxError} `state.key_invalid`, `state.cursor_invalid`, `access.denied`
 */
export async function listState(
  context: StateContext,
  caller: Caller,
  ask: { readonly prefix: string; readonly cursor?: string; readonly limit?: number },
): Promise<StatePage> {
  const { limits } = context;
  const prefix = parseStatePrefix(ask.prefix);
  const resource = prefix === "" ? "*" : `state:${prefix.replace(/\/$/, "")}`;
  const admission = await context.deps.admit(caller, "state.read", resource);
  const after = readCursor(ask.cursor, prefix);
  await context.deps.record(caller, admission);
  const may = await context.deps.rightsOf(caller);
  const most = Math.min(ask.limit ?? limits.pageEntries, limits.pageEntries);
  const groups = await groupsOf(context, caller, prefix, after);
  const entries: StateEntry[] = [];
  let left = most;
  let leftBytes = limits.pageBytes;
  let looked = after;
  for (const [n, group] of groups.entries()) {
    if (n >= limits.pageGroups || left <= 0 || leftBytes <= 0) return pageOf(entries, looked, prefix);
    const within = prefix.includes("/") ? prefix : "";
    const begin = stateGroupOf(after) === group ? after : "";
    const [, last, list] = await context.run(
      caller.principal.namespace,
      group,
      listScript,
      [],
      [within, begin, left, leftBytes],
    );
    const flat = list as readonly string[];
    for (let i = 0; i < flat.length; i += 3) {
      left -= 1;
      leftBytes -= Buffer.byteLength(flat[i + 2]!);
      if (may("state.read", `state:${flat[i]!}`))
        entries.push(shownEntry(flat[i]!, flat[i + 1]!, flat[i + 2]!));
    }
    if (last !== "") return pageOf(entries, String(last), prefix);
    // A group that was looked at whole: whatever comes into it now is before the cursor.
    looked = `${group}/~`;
  }
  return { entries };
}

/** The groups in which such keys can be, from where the last page ended, in their order. */
async function groupsOf(
  context: StateContext,
  caller: Caller,
  prefix: string,
  after: string,
): Promise<readonly string[]> {
  if (prefix.includes("/")) return [stateGroupOf(prefix)];
  const from = stateGroupOf(after);
  const groups = [...(await context.rooms.groups(caller.principal.namespace)).keys()];
  const wholly = after.endsWith("/~");
  return groups.filter((group) => group.startsWith(prefix) && (wholly ? group > from : group >= from)).sort();
}

/** Names the prefix too, so that a cursor of another listing is noticed instead of misread. */
function pageOf(entries: readonly StateEntry[], after: string, prefix: string): StatePage {
  return { entries, cursor: Buffer.from(`${prefix} ${after}`).toString("base64url") };
}

function readCursor(cursor: string | undefined, prefix: string): string {
  if (cursor === undefined) return "";
  const [of, after, ...more] = Buffer.from(cursor, "base64url").toString().split(" ");
  if (of !== prefix || !after || more.length > 0 || !after.startsWith(prefix)) refuse("state.cursor_invalid");
  try {
    const key = after.replace(/\/~$/, "");
    if (parseStateKey(key) !== key) refuse("state.cursor_invalid");
  } catch (error) {
    if (isRefusal(error, "state.key_invalid")) refuse("state.cursor_invalid");
    throw error;
  }
  return after;
}
