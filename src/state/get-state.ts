import { parseStateKey, stateGroupOf } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import type { Caller } from "../identity/index.js";
import { loadScript } from "../redis/index.js";
import type { StateContext } from "./context.js";
import type { GetState, StatePage } from "./contract.js";
import { listState } from "./list-state.js";
import { shownEntry } from "./stored-entry.js";

const getScript = loadScript(import.meta.url, "get-state.lua");

/**
 * The entry of a key, or a page of those whose keys begin with a prefix. That there is none is an answer.
 *
 * @throws {MailboxError} `state.key_invalid`, `state.cursor_invalid`, `access.denied`, `input.invalid`
 */
export async function getState(context: StateContext, caller: Caller, input: GetState): Promise<StatePage> {
  if ((input.key === undefined) === (input.prefix === undefined))
    refuse("input.invalid", {
      problem: "get_state takes a key, or a prefix to list keys, and not both; an empty prefix lists all",
    });
  if (input.prefix !== undefined)
    return listState(context, caller, {
      prefix: input.prefix,
      ...(input.cursor === undefined ? {} : { cursor: input.cursor }),
    });
  const key = parseStateKey(input.key!);
  await context.deps.record(caller, await context.deps.admit(caller, "state.read", `state:${key}`));
  const [word, entry, value] = await context.run(
    caller.principal.namespace,
    stateGroupOf(key),
    getScript,
    [],
    [key],
  );
  return { entries: word === "ENTRY" ? [shownEntry(key, String(entry), String(value))] : [] };
}
