import { type LockNews, shownResources } from "../locks/index.js";
import { freeOwnHook } from "./free-own-hook.js";

/** One line for something about a lock that its run has not been told. */
export function lockLine(news: LockNews): string {
  if (news.what === "circle")
    return `lock: this wait may never end: ${news.circle}; ${news.own_edit_hook ? freeOwnHook : "release what you hold"}, or go on without`;
  const { what, id, resources, until } = news;
  const lock = `${id} (${shownResources(resources)})`;
  switch (what) {
    case "lost":
      return `lock: ${lock} is lost; others may change it now`;
    case "elsewhere":
      return `lock: ${lock} is with another run of yours now, which called acquire_lock with its id; this run has it no more`;
    case "ends soon":
      return `lock: ${lock} ends at ${until}; acquire_lock with lock_id renews it`;
    case "your turn":
      return `lock: your turn for ${lock} until ${until}; take it by acquire_lock with this ticket`;
    case "passed over":
      return `lock: your turn for ${lock} has passed; acquire_lock with this ticket takes your place in line again`;
  }
}
