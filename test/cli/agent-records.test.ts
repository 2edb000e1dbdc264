import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startStore, type TestStore } from "../stores/index.js";
import { type Office, openOffice } from "./command-line.js";

describe("llm-mailbox agents", () => {
  let store: TestStore;
  let office: Office;
  beforeAll(async () => {
    store = await startStore("embedded");
  });
  afterAll(() => store.stop());
  beforeEach(async () => {
    office = await openOffice(store.url);
    return () => office.close();
  });
  const run = async (...words: string[]): Promise<string> => {
    const { status, out, err } = await office.run("agents", ...words);
    return `${status} ${out}${err}`;
  };

  it("set records what an agent is, show tells it, and the list has it", async () => {
    expect(await run("show", "coder")).toBe("0 coder: nothing is recorded.\nRights: agent.\n");
    expect(await run("set", "Coder", "--role", "junior", "--label", "tier=gold", "area=eu")).toBe(
      "0 coder: role junior, area=eu, tier=gold.\n",
    );
    expect(await run("set", "coder", "--team", "payments", "--unlabel", "area")).toBe(
      "0 coder: role junior, team payments, tier=gold.\n",
    );
    expect(await office.json("agents", "show", "coder")).toEqual({
      ...{ agent: "coder", role: "junior", team: "payments", labels: { tier: "gold" } },
      ...{ rights: ["agent"], stopped: null },
    });
    expect(await office.json("agents")).toMatchObject([
      {
        name: "coder",
        last_seen: null,
        role: "junior",
        team: "payments",
        labels: { tier: "gold" },
        stopped: false,
      },
    ]);
    expect(await run()).toMatch(/^0 AGENT +SEEN .* ROLE +TEAM +ABOUT\ncoder +never .* junior +payments\n/);
    expect(await run("set", "coder", "--role", "", "--team", "", "--unlabel", "tier")).toBe(
      "0 coder: nothing is recorded.\n",
    );
  });

  it("stop and resume say what they do, and show and the list say that somebody is stopped", async () => {
    const { caller } = await office.as("coder");
    expect(await run("stop", "coder", "--reason", "it\nmisbehaves")).toMatch(
      /^0 coder is stopped\. Its locks and jobs were given up\. What it sent and was not delivered yet waits; mail that is in a mailbox already is still read there, unless llm-mailbox recall takes it back\.\nllm-mailbox agents resume coder lets it go on\.\n$/,
    );
    await expect(office.house.rooms.mail.readInbox(caller, {}, { maxChars: 1_000 })).rejects.toMatchObject({
      code: "access.stopped",
    });
    expect(await run("show", "coder")).toMatch(/\nStopped by operator at \d{4}-.*: it misbehaves\n$/);
    expect(await office.json("agents", "show", "coder")).toMatchObject({
      stopped: { by: "operator", reason: "it\nmisbehaves", at: expect.any(String) },
    });
    expect(await run()).toMatch(/\ncoder +stopped /);
    expect(await run("resume", "coder")).toMatch(/^0 coder may go on\./);
    expect(await run("resume", "coder")).toBe("0 coder was not stopped.\n");
  });

  it("refuses what is none of an agent, and words that rules could not compare", async () => {
    expect(await run("set", "coder")).toMatch(/^2 llm-mailbox: agents set needs --role/);
    expect(await run("set", "coder", "--label", "gold")).toMatch(
      /^2 llm-mailbox: --label is given as name=value/,
    );
    expect(await run("set", "coder", "--role", "Junior Dev")).toMatch(
      /^2 llm-mailbox: input\.invalid: the role is/,
    );
    expect(await run("set", "queue:x", "--role", "a")).toMatch(/^2 llm-mailbox: queue:x is not the name/);
    expect(await run("stop", "coder")).toMatch(/^2 llm-mailbox: required option '--reason/);
    expect(await run("stop", "operator", "--reason", "x")).toMatch(/^2 llm-mailbox: address\.invalid/);
  });
});
