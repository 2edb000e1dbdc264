import { z } from "zod";
import { FindRecipients, type Recipients } from "../../agents/index.js";
import { defineTool, type Telling } from "../define-tool.js";
import { onOneLine } from "../message-parts.js";
import { type Part, shown } from "../reply.js";

export const findRecipients = defineTool({
  name: "find_recipients",
  title: "Find recipients",
  description: "See which agents, queues and topics you can write to.",
  input: FindRecipients,
  output: z.object({
    agents: z.array(
      z.object({
        name: z.string(),
        online: z.boolean(),
        last_seen: z.string().exactOptional(),
        description: z.string().exactOptional(),
        capabilities: z.array(z.string()),
      }),
    ),
    queues: z.array(z.object({ name: z.string(), ready: z.number() })),
    topics: z.array(z.object({ name: z.string() })),
    more: z.number(),
  }),
  needs: ["agents.find"],
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  handle: (input, { caller, agents }) => agents.findRecipients(caller, input),
  say: tell,
});

function tell(found: Recipients, { room }: Telling<FindRecipients>): Part[] {
  const lines = [
    ...found.agents.map((one) => `${one.name} (${presence(one)})`),
    ...found.queues.map((one) => `queue:${one.name} (${one.ready} waiting)`),
    ...found.topics.map((one) => `topic:${one.name}`),
  ];
  if (lines.length === 0) return ["nobody matches; other words, or no filter, may find more"];
  const more = found.more ? [`${found.more} more match; narrow the search with text or capability`] : [];
  const own = [...lines, ...more].join("\n").slice(0, room - 400);
  const about = found.agents.filter((one) => one.description || one.capabilities.length > 0);
  if (about.length === 0) return [own];
  const each = Math.max(Math.floor((room - own.length - 400) / about.length) - 1, 0);
  const texts = about.map((one) => {
    const can = one.capabilities.length ? ` [${one.capabilities.join(", ")}]` : "";
    return onOneLine(shown(`${one.name}: ${one.description ?? ""}${can}`), each);
  });
  return each < 30 ? [own] : [own, { by: "these agents about themselves", text: texts.join("\n") }];
}

function presence(agent: Recipients["agents"][number]): string {
  if (agent.online) return "online";
  return agent.last_seen ? `offline, last call ${agent.last_seen}` : "not seen yet";
}
