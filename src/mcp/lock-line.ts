import { visible } from "../addresses/index.js";
import { type Force, type LockNews, shownResources } from "../locks/index.js";
import { freeOwnHook } from "./free-own-hook.js";

/**
 * One line for something about a lock that its run has not been told.
 *
 * @param most how many resources of a lock it names
 */
export function lockLine(news: LockNews, most = 3): string {
  if (news.what === "circle")
    return `lock: this wait may never end: ${news.circle}; ${news.own_edit_hook ? freeOwnHook : "release what you hold"}, or go on without`;
  if (news.what === "more lost with their run")
    return `lock: ${news.count} more are lost, which earlier runs of yours had`;
  if (news.what === "more lost") return `lock: ${news.count} more are lost; your next replies name them`;
  const { what, id, resources } = news;
  const lock = `${id} (${shownResources(resources, most)})`;
  const force = "force" in news && news.force ? byForce(news.force) : undefined;
  switch (what) {
    case "lost":
      if (force !== undefined && news.still_under === undefined && news.again_under === undefined)
        return `lock: ${lock} is lost: ${force}; acquire it again before you change it`;
      if (news.still_under !== undefined)
        return `lock: ${lock} is lost, but you still hold all of that under ${news.still_under}`;
      return news.again_under === undefined
        ? `lock: ${lock} is lost and others may get it; acquire it again before you change it`
        : `lock: ${lock} was lost, and others may have changed it before you got it again under ${news.again_under}: read it again`;
    case "place lost":
      return `lock: your place in line, ${lock}, is lost: ${force ?? "it was taken by force or given up"}; acquire_lock with the resources takes a new one`;
    case "elsewhere":
      return `lock: ${lock} is with another run of yours now, and with this one no more`;
    case "lost with its run":
      return `lock: ${lock} is lost, which an earlier run of yours held${force === undefined ? "" : `: ${force}`}`;
    case "place lost with its run":
      return `lock: the place in line of ${lock} is lost, which an earlier run of yours had${force === undefined ? "" : `: ${force}`}`;
    case "ends soon":
      return `lock: ${lock} ends at ${news.until}; acquire_lock with lock_id renews it`;
    case "your turn":
      return `lock: your turn for ${lock} until ${news.until}; take it by acquire_lock with this ticket`;
    case "passed over":
      return `lock: your turn for ${lock} has passed; acquire_lock with this ticket takes your place in line again`;
  }
}

const mostOfReason = 200;

function byForce({ by, reason }: Force): string {
  const told = reason.length > mostOfReason ? `${reason.slice(0, mostOfReason)}…` : reason;
  return `${by} took it by force (they say: ${visible(JSON.stringify(told))})`;
}
