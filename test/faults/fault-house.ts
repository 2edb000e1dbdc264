import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import { type Caller, localPrincipal, type Role } from "../../src/identity/index.js";
import type { AckMessages, Inbox, ReadInbox, SendMessage, SendReceipt } from "../../src/mailbox/index.js";
import { openLog } from "../../src/observability/index.js";
import { newNamespace } from "../stores/new-namespace.js";

/** The product in this process on a store that may fail, quiet about what the tests provoke. */
export async function openFaultHouse(
  url: string,
  namespace: string = newNamespace(),
  callTimeoutMs = 5_000,
  settings: Record<string, string> = {},
): Promise<House> {
  const config = readConfig({
    REDIS_URL: url,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: namespace,
    LLM_MAILBOX_DATA_DIR: dataDir,
    ...settings,
  });
  // What a test counts or compares is not what the process does for itself meanwhile.
  return openHouse(config, openLog("silent"), { callTimeoutMs, seal: { everyMs: 3_600_000 } });
}

const dataDir = mkdtempSync(join(tmpdir(), "mailbox-house-"));
process.on("exit", () => rmSync(dataDir, { recursive: true, force: true }));

/** One run of an agent, calling the rooms as a tool does: a reply that was given counts as read. */
export class Agent {
  readonly house: House;
  readonly caller: Caller;

  private constructor(house: House, caller: Caller) {
    this.house = house;
    this.caller = caller;
  }

  static async begin(house: House, name: string, roles: readonly Role[] = ["agent"]): Promise<Agent> {
    const principal = { ...localPrincipal(house.config.namespace, name), roles };
    return new Agent(house, await house.rooms.runs.begin(principal));
  }

  send(to: string | string[], body: string, more: Partial<SendMessage> = {}): Promise<SendReceipt> {
    return this.house.rooms.mail.sendMessage(this.caller, {
      to: typeof to === "string" ? [to] : to,
      body,
      ...more,
    });
  }

  async read(input: ReadInbox = {}): Promise<Inbox> {
    const inbox = await this.house.rooms.mail.readInbox(this.caller, input, { maxChars: 10_500 });
    if (inbox.batch) this.house.rooms.mail.confirm(this.caller, inbox.batch, true);
    return inbox;
  }

  ack(
    id: string,
    outcome: NonNullable<AckMessages["outcome"]>,
    more: Partial<AckMessages> = {},
  ): ReturnType<House["rooms"]["mail"]["ackMessages"]> {
    return this.house.rooms.mail.ackMessages(this.caller, { ids: [id], outcome, ...more });
  }
}
