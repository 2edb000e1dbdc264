import { z } from "zod";
import { type Released, ReleaseLock } from "../../locks/index.js";
import { defineTool } from "../define-tool.js";

export const releaseLock = defineTool({
  name: "release_lock",
  title: "Release a lock",
  description: "Give a lease back, or leave its queue. Safe to repeat.",
  input: ReleaseLock,
  output: z.object({
    state: z.enum(["released", "left_queue", "gone"]),
    next: z.array(z.string()),
    replayed: z.boolean(),
  }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, locks }) => locks.releaseLock(caller, input),
  say: tell,
});

const words = {
  released: "released",
  left_queue: "you left the queue",
  gone: "nothing to release: it had ended",
};

function tell({ state, next, replayed }: Released): string {
  return `${replayed ? "replayed: " : ""}${words[state]}${next.length ? `; next: ${next.join(", ")}` : ""}`;
}
