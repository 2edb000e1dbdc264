import { z } from "zod";
import { GetState, type StateEntry, type StatePage } from "../../state/index.js";
import { defineTool } from "../define-tool.js";
import { entryLine } from "../entry-line.js";
import { onOneLine } from "../message-parts.js";
import { fitting, frameChars, type Part, shown } from "../reply.js";

export const stateEntryOutput = z.object({
  key: z.string(),
  version: z.number(),
  value: z.string(),
  by: z.string(),
  verified: z.boolean(),
  at: z.string(),
  expires_at: z.string().exactOptional(),
});

export const getState = defineTool({
  name: "get_state",
  title: "Read shared state",
  description: "Read what agents keep under a key, with its version, or list keys.",
  input: GetState,
  output: z.object({ entries: z.array(stateEntryOutput), cursor: z.string().exactOptional() }),
  needs: ["state.read"],
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, state }) => state.getState(caller, input),
  say: (page, { input, room }) => (input.key === undefined ? list(page, room) : one(page, input, room)),
});

function one({ entries: [entry] }: StatePage, { offset = 0 }: GetState, room: number): Part[] {
  if (!entry) return ["no entry under this key; put_state with expected_version: 0 creates it"];
  return [entryLine(entry), ...valueParts(entry, room, offset)];
}

/** The value as a quote, as much of it as a reply has room for. */
export function valueParts({ key, version, by, value }: StateEntry, room: number, offset = 0): Part[] {
  if (offset > 0 && offset >= value.length) return [`the value ends at ${value.length} characters`];
  const rest = value.slice(offset);
  const end = offset + fitting(rest, room - frameChars - 600);
  const quote = { by, text: value.slice(offset, end) };
  if (end >= value.length) return [quote];
  return [
    quote,
    `[cut: ${end} of ${value.length} characters shown so far; the rest, while it is version ${version}: get_state key: ${key} offset: ${end}]`,
  ];
}

function list({ entries, cursor }: StatePage, room: number): Part[] {
  const next = cursor ? `more: get_state with the same prefix and cursor: ${cursor}` : "";
  if (entries.length === 0) return [next ? `nothing on this page\n${next}` : "no keys begin so"];
  const lines = entries.map((entry, i) => `${i + 1}. ${entryLine(entry)}`);
  const own = `${lines.join("\n")}${next ? `\n${next}` : ""}`;
  const each = Math.floor((room - own.length - 600) / entries.length) - 6;
  const values = entries.map((entry, i) => `${i + 1}. ${brief(entry.value, each)}`);
  return each < 20
    ? [own]
    : [`${own}\nwhole values: get_state key`, { by: "these agents", text: values.join("\n") }];
}

function brief(value: string, most: number): string {
  return onOneLine(shown(onOneLine(value, most)), most);
}
