import type { Measurement } from "./finding.js";
import { StdioClient } from "./stdio-client.js";

/** What the tools and a receipt take of a model's context. */
export const words: Measurement = {
  name: "words",
  once: true,
  async measure(store) {
    const client = await StdioClient.open(store, "counter");
    const { tools } = (await client.request("tools/list")) as { tools: { name: string }[] };
    const own = tools.filter(({ name }) => !name.startsWith("bench_"));
    const tokens = Math.ceil(JSON.stringify({ tools: own }).length / 4);
    await client.call("send_message", { to: ["a-colleague"], body: "Hello", create: true });
    const receipt = await client.call("send_message", { to: ["a-colleague"], body: "Hello again" });
    await client.close();
    return [
      {
        what: `\`tools/list\` of the ${own.length} tools there are (characters / 4)`,
        store: "any",
        value: `${tokens} tokens`,
        aim: "≤ 3,000",
        met: tokens <= 3_000,
        beside: "those of an ordinary agent",
      },
      {
        what: "A receipt for one recipient",
        store: "any",
        value: `${receipt.length} characters`,
        aim: "≤ 250",
        met: receipt.length <= 250,
        beside: `\`${receipt.replaceAll("\n", "⏎")}\``,
      },
    ];
  },
};
