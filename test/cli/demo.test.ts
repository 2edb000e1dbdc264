import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { spawnWith, startWith } from "./command-line.js";

interface Played {
  readonly passed: boolean;
  readonly steps: readonly { seconds: number; who: string; what: string }[];
  readonly checks: readonly { holds: boolean; what: string }[];
}

describe("the demo", () => {
  it("hands a job from a killed worker to the next, and verifies that nothing was lost or done twice", async () => {
    const { status, out, err } = await spawnWith({ LLM_MAILBOX_ENGINE: "embedded" }, "demo", "--json");
    const played = JSON.parse(out) as Played;
    expect(played.checks.filter(({ holds }) => !holds)).toEqual([]);
    expect({ status, err, passed: played.passed }).toEqual({ status: 0, err: "", passed: true });
    expect(played.checks.length).toBeGreaterThanOrEqual(7);
    const said = played.steps.map(({ who, what }) => `${who} ${what}`);
    const order = ["ada takes the job (delivery 1)", "demo kill -9", "ben is given ada's job (delivery 2)"];
    const places = order.map((start) => said.findIndex((line) => line.startsWith(start)));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(played.steps.at(-1)!.seconds).toBeLessThan(20);
  });

  it("lets three change one record in the order of their priority, also when the first is killed with the lock", async () => {
    const { status, out, err } = await spawnWith(
      { LLM_MAILBOX_ENGINE: "embedded" },
      "demo",
      "locks",
      "--json",
    );
    const played = JSON.parse(out) as Played;
    expect(played.checks.filter(({ holds }) => !holds)).toEqual([]);
    expect({ status, err, passed: played.passed }).toEqual({ status: 0, err: "", passed: true });
    expect(played.checks.length).toBeGreaterThanOrEqual(6);
    const said = played.steps.map(({ who, what }) => `${who} ${what}`);
    const granted = said.filter((line) => line.includes("has the lock (priority"));
    expect(granted.map((line) => line.slice(0, line.indexOf(" ")))).toEqual(["ada", "ben", "cleo"]);
    expect(said.filter((line) => line.startsWith("bank finds"))).toEqual([
      "bank finds 1,150",
      "bank finds 1,250",
    ]);
  });

  it("tells it to people without colours where there is no terminal, and leaves nothing behind", async () => {
    // Settings of the one who watches are not those of the demo.
    const { status, out } = await spawnWith(
      { LLM_MAILBOX_AGENT: "me", LLM_MAILBOX_NAMESPACE: "mine", REDIS_URL: "redis://127.0.0.1:1" },
      "demo",
    );
    expect(status).toBe(0);
    expect(out).toMatch(/\n +\d+\.\d s {2}ada {6}takes the job \(delivery 1\)/);
    expect(out).toMatch(/\nVerified:\n( {2}yes {2}[^\n]+\n)+\nAll of it holds\.\n$/);
    expect(out).not.toContain("\u001b");
    const [dataDir] = out.match(/\S+llm-mailbox-demo-\S+/) ?? [];
    expect(dataDir).toBeDefined();
    expect(existsSync(dataDir!)).toBe(false);
  });

  it("that is interrupted says that it does not hold, and leaves nothing behind all the same", async () => {
    const { child, until } = startWith({ LLM_MAILBOX_ENGINE: "embedded" }, "demo");
    const out = await until("is here");
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(1);
    const [dataDir] = out.match(/\S+llm-mailbox-demo-\S+/) ?? [];
    expect(dataDir).toBeDefined();
    expect(existsSync(dataDir!)).toBe(false);
  });
});
