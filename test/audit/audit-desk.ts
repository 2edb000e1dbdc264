import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FoundEvent, queryAudit, Sealer, type SealTimes } from "../../src/audit/index.js";
import { type House, openHouse } from "../../src/compose.js";
import { readConfig } from "../../src/config/index.js";
import type { Role } from "../../src/identity/index.js";
import { openLog } from "../../src/observability/index.js";
import { Agent } from "../faults/fault-house.js";
import { newNamespace } from "../stores/new-namespace.js";

/** No process seals by itself, and rows are old enough at once, whatever the two clocks differ by. */
export const byHand: Partial<SealTimes> = { everyMs: 3_600_000, leaveMs: -5_000, signMs: 0 };

export interface DeskOptions {
  readonly namespace?: string;
  /** Another desk's, which then removes it; without it, one of its own. */
  readonly dataDir?: string;
  readonly settings?: Record<string, string>;
  readonly seal?: Partial<SealTimes>;
  readonly callTimeoutMs?: number;
}

/** A process of the product with a data directory of its own, and a look into its audit. */
export class AuditDesk {
  readonly house: House;
  readonly #ownsFolder: boolean;

  private constructor(house: House, ownsFolder: boolean) {
    this.house = house;
    this.#ownsFolder = ownsFolder;
  }

  static async open(
    url: string,
    {
      namespace = newNamespace(),
      dataDir = "",
      settings = {},
      seal = byHand,
      callTimeoutMs = 5_000,
    }: DeskOptions = {},
  ): Promise<AuditDesk> {
    const folder = dataDir || mkdtempSync(join(tmpdir(), "mailbox-audit-"));
    const config = readConfig({
      REDIS_URL: url,
      LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
      LLM_MAILBOX_NAMESPACE: namespace,
      LLM_MAILBOX_DATA_DIR: folder,
      ...settings,
    });
    const house = await openHouse(config, openLog("silent"), { callTimeoutMs, seal });
    return new AuditDesk(house, dataDir === "");
  }

  get namespace(): string {
    return this.house.config.namespace;
  }

  get folder(): string {
    return join(this.house.config.dataDir, "audit");
  }

  get checkpoints(): string {
    return join(this.folder, `${this.namespace}.checkpoints`);
  }

  begin(agent: string, roles?: readonly Role[]): Promise<Agent> {
    return Agent.begin(this.house, agent, roles);
  }

  /** A sealer beside the house's own, which seals at once whatever its age. */
  sealer(times: Partial<SealTimes> = {}): Sealer {
    const { store, places } = this.house;
    return new Sealer({
      ...{ store, places, folder: this.folder, keyFile: join(this.folder, "key.pem") },
      times: { ...byHand, ...times },
      log: () => undefined,
    });
  }

  /** What was recorded, oldest first. */
  async events(): Promise<FoundEvent[]> {
    const found: FoundEvent[] = [];
    for await (const event of queryAudit(this.house.store, this.house.places, this.namespace))
      found.push(event);
    return found.sort((a, b) => a.at - b.at);
  }

  /** What was recorded since then. Rows of one millisecond in several slots have no order, so each is told by its name. */
  async eventsSince(before: readonly FoundEvent[]): Promise<FoundEvent[]> {
    const known = new Set(before.map(({ id }) => id));
    return (await this.events()).filter(({ id }) => !known.has(id));
  }

  /** Every row as it lies in the store, sealed or not. */
  async rows(): Promise<string[]> {
    return (await this.events()).map((event) => JSON.stringify(event));
  }

  async close(): Promise<void> {
    await this.house.close();
    if (this.#ownsFolder) rmSync(this.house.config.dataDir, { recursive: true, force: true });
  }
}

/** An event without what is of one execution. */
export function told({ agent, action, resource, outcome, because }: FoundEvent): string {
  return `${agent} ${action} ${resource} ${outcome} ${because}`;
}
