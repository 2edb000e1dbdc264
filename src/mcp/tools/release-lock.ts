import { z } from "zod";
import { type Released, ReleaseLock } from "../../locks/index.js";
import { defineTool } from "../define-tool.js";

export const releaseLock = defineTool({
  name: "release_lock",
  title: "Release a lock",
  description: "Give a lease back, or leave its queue. Safe to repeat.",
  input: ReleaseLock,
  output: z.object({
    state: z.enum(["released", "left_queue", "gone", "lost"]),
    still_under: z.string().exactOptional(),
    other_run: z.string().exactOptional(),
    taken_from: z.string().exactOptional(),
    next: z.array(z.string()),
    replayed: z.boolean(),
  }),
  needs: ["lock.acquire"],
  alsoFor: ({ locks }, principal) => locks.hasAny(principal),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, locks, tells }) => locks.releaseLock(caller, input, { tells }),
  say: tell,
});

const words = {
  released: "released",
  left_queue: "you left the queue",
  gone: "nothing to release: there is nothing under this id that you may release, or no longer",
  lost: "nothing to release: you had lost it, and others may have changed what it protected",
};

/** A run of edit hooks hears nothing: its hooks are over with their answers. */
function otherInWords(run: string): string {
  return run.startsWith("guard-")
    ? "an edit hook of yours had reserved it"
    : `it was not this run's but run ${run}'s, which is told so`;
}

function tell({ state, still_under: still, other_run, taken_from, next, replayed }: Released): string {
  if (still !== undefined)
    return `nothing to release: you had lost it, but you still hold all of that under ${still}`;
  const other = other_run === undefined ? "" : `; ${otherInWords(other_run)}`;
  const done =
    taken_from === undefined ? words[state] : `taken from ${taken_from}, which is told by whom and why`;
  return `${replayed ? "replayed: " : ""}${done}${other}${next.length ? `; next: ${[...new Set(next)].join(", ")}` : ""}`;
}
