import { parseStateKey, stateGroupOf } from "../addresses/index.js";
import type { Caller } from "../identity/index.js";
import { RepeatedLook, stateGroupKeys } from "../redis/index.js";
import type { StateContext } from "./context.js";

/**
 * Calls back when the entry of a key may have changed; what it is now is asked for then. An expiry is told when somebody
 * looks after the group, up to a minute or so late. Resolves when it listens.
 *
 * @throws {MailboxError} `state.key_invalid`, `access.denied`
 */
export async function watchState(
  context: StateContext,
  caller: Caller,
  given: string,
  onChange: () => void,
): Promise<() => void> {
  const { hints, admit, record, rightsOf } = context.deps;
  const key = parseStateKey(given);
  const resource = `state:${key}`;
  await record(caller, await admit(caller, "state.read", resource));
  const { channel } = stateGroupKeys(caller.principal.namespace, stateGroupOf(key));
  const look = new RepeatedLook(async () => {
    const may = await rightsOf(caller);
    if (may("state.read", resource)) onChange();
  });
  const stop = await hints.listen(channel, (message) => {
    if (message === key || message === "") look.again();
  });
  return () => {
    look.stop();
    stop();
  };
}
