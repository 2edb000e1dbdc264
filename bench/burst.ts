import type { Measurement } from "./finding.js";
import { StdioClient } from "./stdio-client.js";

const senders = 8;
const each = 100;

/** Eight processes with a hundred sends each at once: all of them arrive, none twice. */
export const burst: Measurement = {
  name: "burst",
  async measure(store) {
    const clients = await Promise.all(
      Array.from({ length: senders }, (_, n) => StdioClient.open(store, `sender${n}`)),
    );
    const reader = await StdioClient.open(store, "reader");
    await reader.call("read_inbox");
    await Promise.all(clients.map((client) => client.call("my_status")));
    const from = performance.now();
    await Promise.all(
      clients.flatMap((client, n) =>
        Array.from({ length: each }, (_, m) =>
          client.call("send_message", { to: ["reader"], body: `Message number ${n}/${m}.` }),
        ),
      ),
    );
    const lasted = performance.now() - from;
    const seen = new Map<string, number>();
    for (let found = true; found; ) {
      const text = await reader.call("read_inbox", { limit: 20 });
      found = false;
      for (const [, name] of text.matchAll(/Message number (\d+\/\d+)\./g)) {
        found = true;
        seen.set(name!, (seen.get(name!) ?? 0) + 1);
      }
    }
    await Promise.all([...clients, reader].map((client) => client.close()));
    const twice = [...seen.values()].filter((count) => count > 1).length;
    return [
      {
        what: `${senders} processes with ${each} sends each at once: delivered, and delivered twice`,
        store: store.name,
        value: `${seen.size}, ${twice}`,
        aim: `${senders * each}, 0`,
        met: seen.size === senders * each && twice === 0,
        beside: `all answered after ${lasted.toFixed(0)} ms, ${((senders * each) / lasted).toFixed(2)} sends a millisecond`,
      },
    ];
  },
};
