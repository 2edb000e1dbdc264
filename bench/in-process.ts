import { type House, openHouse } from "../src/compose.js";
import { readConfig } from "../src/config/index.js";
import type { Caller, RunId } from "../src/identity/index.js";
import { openLog } from "../src/observability/index.js";
import type { BenchStore } from "./stores.js";

/**
 * The rooms in this process, for what would take too long through a client: filling mailboxes, many subscriptions. Rows
 * of the audit are not sealed meanwhile: that is done every 20 s, and would fall into one of two measurements.
 */
export async function openRooms(
  store: BenchStore,
  limits: Readonly<Record<string, string>> = {},
): Promise<House> {
  return openHouse(
    readConfig({ REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1", ...limits }),
    openLog("error"),
    { seal: { everyMs: 3_600_000 } },
  );
}

export function callerNamed(agent: string): Caller {
  return {
    principal: {
      namespace: "default",
      agent,
      verified: false,
      roles: ["agent"],
      credential: { kind: "none" },
    },
    run: { id: `${agent}/bench` as RunId },
  };
}
