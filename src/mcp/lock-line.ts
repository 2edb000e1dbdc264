import { type LockNews, shownResources } from "../locks/index.js";
import { freeOwnHook } from "./free-own-hook.js";

/** One line for something about a lock that its run has not been told. */
export function lockLine(news: LockNews): string {
  if (news.what === "circle")
    return `lock: this wait may never end: ${news.circle}; ${news.own_edit_hook ? freeOwnHook : "release what you hold"}, or go on without`;
  if (news.what === "more lost with their run")
    return `lock: ${news.count} more are lost, which earlier runs of yours had`;
  const { what, id, resources } = news;
  const lock = `${id} (${shownResources(resources)})`;
  switch (what) {
    case "lost":
      return `lock: ${lock} is lost and others may get it; acquire it again before you change it`;
    case "elsewhere":
      return `lock: ${lock} is with another run of yours now, which called acquire_lock with its id; this run has it no more`;
    case "lost with its run":
      return `lock: ${lock} is lost, which an earlier run of yours held`;
    case "place lost with its run":
      return `lock: the place in line of ${lock} is lost, which an earlier run of yours had`;
    case "ends soon":
      return `lock: ${lock} ends at ${news.until}; acquire_lock with lock_id renews it`;
    case "your turn":
      return `lock: your turn for ${lock} until ${news.until}; take it by acquire_lock with this ticket`;
    case "passed over":
      return `lock: your turn for ${lock} has passed; acquire_lock with this ticket takes your place in line again`;
  }
}
