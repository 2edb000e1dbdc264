// The built server with two tools more: one that does nothing, and one that asks the store for nothing but a PONG.
// They come by the same factory, the same checks and the same reply as the server's own.
import { z } from "zod";
import { defineTool } from "../dist/mcp/define-tool.js";
import { toolbox } from "../dist/mcp/toolbox.js";
import { Store } from "../dist/redis/index.js";

const nothing = {
  title: "Bench",
  description: "For the bench",
  input: z.object({}),
  output: z.object({}),
  needs: ["agents.describe"],
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  tellsNews: true, // so that no look at the inbox closes the reply
};
const store = await Store.open({ endpoint: { url: process.env.REDIS_URL }, label: "bench" });
toolbox.push(
  defineTool({ ...nothing, name: "bench_nothing", handle: async () => ({}), say: () => "done" }),
  defineTool({
    ...nothing,
    name: "bench_ping",
    handle: async () => {
      await store.command("PING");
      return {};
    },
    say: () => "done",
  }),
);
const { runProcess } = await import("../dist/cli/index.js");
await runProcess();
