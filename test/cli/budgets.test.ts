import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice } from "./command-line.js";

describe("llm-mailbox budgets", () => {
  let store: TestStore;
  let office: Office;
  const folder = mkdtempSync(join(tmpdir(), "mailbox-budgets-"));
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(async () => {
    await store.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    office = await openOffice(store.url);
    return () => office.close();
  });

  const file = (name: string, ...lines: readonly object[]): string => {
    const path = join(folder, name);
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return path;
  };
  const spend = async (agent: string, reserve: number, cost?: number): Promise<void> => {
    const { caller } = await office.as(agent);
    const { policy } = office.house.rooms;
    const { reservation_id } = await policy.checkPolicy(caller, { action: "llm.call", reserve });
    if (cost !== undefined) await policy.settleReservation(caller, { reservation_id: reservation_id!, cost });
  };
  const today = new Date().toISOString().slice(0, 10);
  const lastMonth = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10);

  it("lists limits with what is used, held and left, and for an agent also those it has not used", async () => {
    expect((await office.run("budgets")).out).toMatch(/^Nothing was taken from a limit/);
    await spend("alice", 20, 12.5);
    await spend("alice", 30);
    await spend("bob", 1);
    const { out } = await office.run("budgets");
    expect(out).toMatch(/^LIMIT +WHOSE +OF +USED +HELD +LEFT +MOST +UNTIL\n/);
    expect(out).toMatch(/\nspend-others +agent:alice +cost +12\.5 +30 +57\.5 +100 +\S+Z\n/);
    expect(out).toMatch(/\nspend-others +agent:bob +cost +0 +1 +99 +100 /);
    const { limits } = await office.json<{ limits: { id: string; left: number }[] }>(
      "budgets",
      "--agent",
      "carl",
    );
    expect(limits).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: "spend-others", subject: "agent:carl", used: 0, held: 0, left: 100 }),
        expect.objectContaining({ id: "rate-payment", of: "calls", left: 20 }),
      ]),
    );
    expect(limits.map(({ id }) => id)).not.toContain("spend-junior");
  });

  it("adds what is reported once, compares the figures, and marks those that are off", async () => {
    await spend("alice", 20, 12);
    await spend("bob", 5, 5);
    await spend("carl", 1.5, 0.6);
    const at = `${today}T00:00:01Z`;
    const costs = file(
      "costs.jsonl",
      { id: "1", source: "billing", agent: "alice", at, cost: 11.5 },
      { id: "2", source: "billing", agent: "bob", at, cost: 5 },
      { id: "2", source: "other", agent: "bob", at, cost: 2.000001 },
      { id: "3", source: "billing", agent: "dora", at: `${lastMonth}T00:00:00Z`, cost: 7 },
      { id: "4", source: "billing", agent: "dora", at: "2020-01-01T00:00:00Z", cost: 7 },
    );
    expect((await office.run("budgets", "import", costs)).out).toBe("4 costs added, 1 too old to be kept.\n");
    expect((await office.run("budgets", "import", costs)).out).toBe(
      "0 costs added, 4 known before, 1 too old to be kept.\n",
    );
    const corrected = file(
      "corrected.jsonl",
      { id: "1", source: "billing", agent: "alice", at, cost: 11.5 },
      { id: "2", source: "billing", agent: "bob", at, cost: 99 },
    );
    expect((await office.run("budgets", "import", corrected)).out).toBe(
      "0 costs added, 2 known before (1 with another cost, which was left out: the first one stands).\n",
    );
    const figures = await office.run("budgets", "figures");
    expect(figures.status).toBe(1);
    const lines = figures.out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^AGENT +ESTIMATED +SETTLED +REPORTED +OFF$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/))).toEqual([
      ["alice", "20", "12", "11.5", "settled below estimated by 40 %"],
      ["bob", "5", "5", "7.000001", "settled below reported by 29 %"],
      ["carl", "1.5", "0.6"],
    ]);
    const past = await office.run("budgets", "figures", "--day", lastMonth, "--json");
    expect(past.status).toBe(1);
    expect(JSON.parse(past.out)).toEqual({
      day: lastMonth,
      agents: [
        { agent: "dora", estimated: 0, settled: 0, reported: 7, off: ["settled below reported by 100 %"] },
      ],
    });
    expect((await office.run("budgets", "figures", "--day", "2026-01-02")).out).toBe(
      "No agent has figures on that day.\n",
    );
  });

  it("takes the costs of Claude Code from what a collector wrote, and says how many name no agent", async () => {
    const point = (session: string, asDouble: number) => ({
      ...{ attributes: [{ key: "session.id", value: { stringValue: session } }], startTimeUnixNano: "1" },
      ...{ timeUnixNano: `${Date.parse(today) + 1_000}000000`, asDouble },
    });
    const exported = (agent: string | undefined, ...dataPoints: readonly object[]) => ({
      resourceMetrics: [
        {
          resource: {
            attributes:
              agent === undefined ? [] : [{ key: "llm_mailbox.agent", value: { stringValue: agent } }],
          },
          scopeMetrics: [
            {
              metrics: [
                { name: "claude_code.token.usage", sum: { aggregationTemporality: 1, dataPoints } },
                { name: "claude_code.cost.usage", sum: { aggregationTemporality: 1, dataPoints } },
              ],
            },
          ],
        },
      ],
    });
    const path = file(
      "otlp.jsonl",
      exported("alice", point("a", 0.25), point("b", 0.5)),
      exported(undefined, point("c", 3)),
    );
    expect((await office.run("budgets", "import", path)).out).toBe(
      "2 costs added; 1 without an agent left out: --agent says whose they are.\n",
    );
    expect(await office.json("budgets", "import", path, "--agent", "bob")).toEqual({
      added: 1,
      known: 2,
      other: 0,
      old: 0,
      unnamed: 0,
    });
    const { agents } = JSON.parse((await office.run("budgets", "figures", "--json")).out) as {
      agents: { agent: string; reported: number }[];
    };
    expect(agents.map(({ agent, reported }) => [agent, reported])).toEqual([
      ["bob", 3],
      ["alice", 0.75],
    ]);
  });

  it("refuses a line that is none, by its number, and adds nothing of the file", async () => {
    const good = { id: "1", source: "billing", agent: "alice", at: `${today}T01:00:00Z`, cost: 1 };
    const bad: readonly (readonly [object, RegExp])[] = [
      [{ ...good, agent: "Not A Name" }, /line 2 .*agent is not the name of an agent/],
      [{ ...good, cost: "1" }, /line 2 .*cost is not a number/],
      [{ ...good, cost: -1 }, /line 2 .*cost is not a number/],
      [{ ...good, at: "soon" }, /line 2 .*at is not a time/],
      [{ ...good, source: undefined }, /line 2 .*source is missing/],
      [[], /line 2 .*not a JSON object/],
    ];
    for (const [line, problem] of bad) {
      const { status, err } = await office.run("budgets", "import", file("bad.jsonl", good, line));
      expect([status, err]).toEqual([2, expect.stringMatching(problem)]);
    }
    expect((await office.run("budgets", "figures")).out).toBe("No agent has figures on that day.\n");
    expect((await office.run("budgets", "import", join(folder, "none"))).status).toBe(2);
    expect((await office.run("budgets", "figures", "--day", "yesterday")).status).toBe(2);
  });
});
