import { z } from "zod";
import { PutState, type PutStateResult } from "../../state/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { entryLine } from "../entry-line.js";
import type { Part } from "../reply.js";
import { stateEntryOutput, valueParts } from "./get-state.js";

export const putState = defineTool({
  name: "put_state",
  title: "Write shared state",
  description:
    "Write or delete what agents keep under a key. With expected_version nobody's change is lost; a conflict shows the current value.",
  input: PutState,
  output: z.object({
    key: z.string(),
    state: z.enum(["stored", "deleted", "absent", "conflict"]),
    version: z.number().exactOptional(),
    expires_at: z.string().exactOptional(),
    current: stateEntryOutput.exactOptional(),
    replayed: z.boolean(),
  }),
  needs: ["state.write"],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  handle: (input, { caller, state }) => state.putState(caller, input),
  say: tell,
});

function tell(result: PutStateResult, { room }: Telling<PutState>): Part[] {
  const { key, state, version, expires_at, current, replayed } = result;
  const again = replayed ? "replayed: " : "";
  switch (state) {
    case "stored":
      return [`${again}stored ${key} version ${version}${expires_at ? `, expires ${expires_at}` : ""}`];
    case "deleted":
      return [`${again}deleted ${key} version ${version}`];
    case "absent":
      return [`there is no entry under ${key}, so there was nothing to delete`];
    case "conflict":
      return current
        ? [
            `conflict, nothing was written; decide by what is there now: ${entryLine(current)}`,
            ...valueParts(current, room),
          ]
        : [
            version === 0
              ? `conflict, nothing was written: there is no entry under ${key}; expected_version: 0 creates it`
              : `conflict, nothing was written: ${key} is not at the version you expected; get_state tells what is there`,
          ];
  }
}
