import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { House } from "../../src/compose.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { type Caller, operatorPrincipal, type RunId } from "../../src/identity/index.js";
import { openFaultHouse } from "../faults/fault-house.js";
import { noLog } from "../mcp/support.js";
import { connectHttp, eras } from "../protocol/clients.js";
import { startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";

const rules = `
version: 1
otherwise: allow
unknown: allow
rules:
  - { id: no-secrets, actions: [file.write], resources: ["config/**"], effect: deny, reason: secrets live there }
  - { id: a-person, actions: [web.fetch], effect: require_approval }
`;

describe("a server", () => {
  let store: TestStore;
  let house: House;
  let service: HttpService;
  let operator: Caller;
  beforeAll(async () => {
    store = await startStore("embedded");
    house = await openFaultHouse(store.url, newNamespace());
    const { namespace } = house.config;
    operator = { principal: operatorPrincipal(namespace), run: { id: "operator/test" as RunId } };
    await house.ruleBook.put(operator, { text: rules, over: 0 });
    Object.assign(house.policy.deps, {
      claimApproval: async () => undefined,
      openApproval: async () => ({ id: "ap-1", state: "pending", expiresAt: Date.now() + 60_000 }),
    });
    service = await serveHttp(house.rooms, { namespace, version: "0", log: noLog, port: 0 });
  });
  afterAll(async () => {
    await service?.close();
    await house?.close();
    await store?.stop();
  });

  const event = (tool: string, input: object): string =>
    JSON.stringify({ cwd: "/repo", hook_event_name: "PreToolUse", tool_name: tool, tool_input: input });
  const post = async (
    query: string,
    body: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, Record<string, unknown>> }> => {
    const response = await fetch(`${service.url}/policy/hook${query}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, Record<string, unknown>>,
    };
  };
  const write = event("Write", { file_path: "/repo/config/a", content: "x" });

  it("answers the hook of a client, as the command does, at /policy/hook", async () => {
    expect(await post("?agent=coder", write)).toEqual({
      status: 200,
      body: {
        hookSpecificOutput: {
          hookEventName: "PreToolUse",
          permissionDecision: "deny",
          permissionDecisionReason:
            "LLM Mailbox policy: file.write config/a is not allowed: secrets live there (rule no-secrets)",
        },
      },
    });
    expect(await post("?agent=coder", event("Read", { file_path: "/repo/a" }))).toEqual({
      status: 200,
      body: {},
    });
    expect(await post("?agent=coder", JSON.stringify({ hook_event_name: "Stop" }))).toEqual({
      status: 200,
      body: {},
    });
    const fetching = event("WebFetch", { url: "https://example.org" });
    expect((await post("?agent=coder", fetching)).body.hookSpecificOutput?.permissionDecision).toBe("deny");
    expect((await post("?agent=coder&ask=1", fetching)).body.hookSpecificOutput?.permissionDecision).toBe(
      "ask",
    );
  });

  it("takes paths below the root in its address, whatever folder the event names", async () => {
    const elsewhere = write.replace('"/repo"', '"/repo/src"');
    expect(elsewhere).not.toBe(write);
    expect(await post("?agent=coder", elsewhere)).toEqual({ status: 200, body: {} });
    const told = await post("?agent=coder&root=/repo", elsewhere);
    expect(told.body.hookSpecificOutput).toMatchObject({
      permissionDecision: "deny",
      permissionDecisionReason: expect.stringContaining("file.write config/a is not allowed"),
    });
    expect((await post("?agent=coder&root=repo", elsewhere)).status).toBe(400);
    expect(
      (await post("?agent=coder&root=&closed=1", elsewhere)).body.hookSpecificOutput?.permissionDecision,
    ).toBe("deny");
  });

  it("checks who asks at /policy/hook as it does at /mcp", async () => {
    expect((await post("", write)).status).toBe(400);
    expect((await post("?agent=Not A Name", write)).status).toBe(400);
    expect((await post("?agent=coder&token=x", write)).body.hookSpecificOutput?.permissionDecision).toBe(
      "deny",
    );
    expect((await post("?agent=coder", "{")).status).toBe(400);
    expect((await post("?agent=coder", "{}")).status).toBe(400);
    expect((await post("?agent=coder&closed=1", "{}")).body.hookSpecificOutput?.permissionDecision).toBe(
      "deny",
    );
    expect((await post("?agent=coder", write, { authorization: "Bearer lmt_x" })).status).toBe(401);
    expect((await post("?agent=coder", write, { "content-type": "text/plain" })).status).toBe(415);
    expect((await post("?agent=coder", write, { origin: "https://evil.example" })).status).toBe(403);
    expect((await fetch(`${service.url}/policy/hook?agent=coder`)).status).toBe(405);
  });

  it.each([
    ["closed=yes", /closed is 1, true, 0, false, or left out/],
    ["closed", /closed is 1/],
    ["Closed=1", /not known; the nearest is closed/],
    ["closde=1", /not known; the nearest is closed/],
    ["closed=0&closed=1", /closed is there twice/],
    ["ask=on", /ask is 1/],
    ["rot=/srv", /not known; the nearest is root/],
    ["token=x", /not known \(there are agent, ask, closed, root\)/],
  ])("refuses each call where its address says %s, which nobody understands", async (given, why) => {
    for (const body of [write, event("Read", { file_path: "/repo/a" }), "{", "x".repeat(1_100_000)]) {
      const { status, body: answer } = await post(`?agent=coder&${given}`, body);
      expect([status, answer.hookSpecificOutput?.permissionDecision]).toEqual([200, "deny"]);
      expect(answer.hookSpecificOutput?.permissionDecisionReason).toMatch(why);
    }
    expect((await post("?agent=coder&closed=0&ask=false", "{")).status).toBe(400);
  });

  it("answers with a denial at /policy/hook?closed=1 whatever keeps it from deciding, and with an error without", async () => {
    const large = event("Write", { file_path: "/repo/a", content: "x".repeat(1_100_000) });
    const deep = event("Write", { file_path: "/repo/a" }).replace(
      '"/repo/a"',
      `"/repo/a","deep":${"[".repeat(200)}${"]".repeat(200)}`,
    );
    const undecided: [
      status: number,
      query: string,
      body: string,
      headers: Record<string, string>,
      why: RegExp,
    ][] = [
      [413, "agent=coder", large, {}, /larger than 1048576 bytes/],
      [400, "agent=coder", deep, {}, /nested deeper than 128 levels/],
      [400, "agent=coder", "{", {}, /not valid JSON/],
      [400, "agent=coder", "{}", {}, /tool_name and a tool_input/],
      [400, "", write, {}, /say who asks/],
      [400, "agent=Not A Name", write, {}, /agent in the address must be/],
      [401, "agent=coder", write, { authorization: "Bearer lmt_x" }, /auth\.invalid/],
      [415, "agent=coder", write, { "content-type": "text/plain" }, /Content-Type/],
    ];
    for (const [status, query, body, headers, why] of undecided) {
      const open = await post(`?${query}`, body, headers);
      expect([open.status, open.body.hookSpecificOutput]).toEqual([status, undefined]);
      for (const closed of ["1", "true"]) {
        const answer = await post(`?closed=${closed}&${query}`, body, headers);
        expect(answer).toEqual({
          status: 200,
          body: {
            hookSpecificOutput: {
              hookEventName: "PreToolUse",
              permissionDecision: "deny",
              permissionDecisionReason: expect.stringMatching(
                new RegExp(`^LLM Mailbox policy: nothing could be decided, .*${why.source}`),
              ),
            },
          },
        });
      }
    }
    expect((await post("?agent=coder&closed=1", write, { origin: "https://evil.example" })).status).toBe(403);
  });

  it.each(eras)(
    "tells the model of a stopped agent why its call is refused, over HTTP of %s",
    async (era) => {
      const name = `agent-${era}`;
      const client = await connectHttp(era, `${service.url}/mcp?agent=${name}`);
      expect((await client.call("my_status")).isError).toBe(false);
      const waiting = client.call("read_inbox", { wait_seconds: 40 });
      await expect
        .poll(async () => (await house.runs.ofAgent(name)).length, { timeout: 5_000 })
        .toBeGreaterThan(0);
      await house.killSwitch.stop(operator, name, "test");
      const from = Date.now();
      expect((await waiting).text).toMatch(/^access\.stopped: /);
      expect(Date.now() - from).toBeLessThan(1_000);
      const refused = await client.call("send_message", { to: ["bob"], body: "x" });
      expect(refused).toMatchObject({ isError: true });
      expect(refused.text).toMatch(new RegExp(`^access\\.stopped: ${name} was stopped by the operator`));
      // Its sessions and runs end.
      await expect.poll(() => house.runs.ofAgent(name), { timeout: 3_000 }).toEqual([]);
      const listed = await fetch(`${service.url}/mcp?agent=${name}`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
      });
      expect(listed.status).toBe(403);
      expect(await listed.text()).toContain("access.stopped");
      expect((await post(`?agent=${name}`, write)).body.hookSpecificOutput).toMatchObject({
        permissionDecision: "deny",
        permissionDecisionReason: expect.stringContaining("access.stopped"),
      });
      await house.killSwitch.resume(operator, name);
      const again = await connectHttp(era, `${service.url}/mcp?agent=${name}`);
      await expect.poll(async () => (await again.call("my_status")).isError, { timeout: 2_000 }).toBe(false);
      await again.close();
      await client.close().catch(() => undefined);
    },
  );
});
