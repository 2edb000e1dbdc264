import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OlderStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OlderHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { listApprovals } from "../../src/approvals/index.js";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { ApprovalDesk } from "../approvals/approval-desk.js";
import { main } from "../cli/command-line.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { type Era, eras } from "./clients.js";

type Way = "stdio" | "http" | "relay";

/** What the user of a client does with the form. */
type User = (message: string) => { action: "accept" | "decline"; content?: Record<string, string> };

describe("the user of a real client", () => {
  let store: TestStore;
  let desk: ApprovalDesk;
  let service: HttpService;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    store = await startStore("redis-server");
    desk = await ApprovalDesk.open(store.url);
    service = await serveHttp(desk.house.rooms, {
      ...{ namespace: desk.namespace, version: "0", log: noLog, port: 0 },
    });
    await desk.house.ruleBook.put(desk.operator(), {
      text: "version: 1\nrules:\n  - { id: ask, actions: [deploy, mailbox.send], effect: require_approval, reason: a person has to agree, approval: { client: true } }\n",
      over: 0,
    });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await service?.close();
    await desk?.close();
    await store?.stop();
  });

  let clients = 0;
  async function connect(era: Era, way: Way, user: User) {
    const agent = `asker-${clients++}`;
    const url = new URL(`${service.url}/mcp?agent=${agent}`);
    const at = way === "relay" ? ["--server", `${service.url}/mcp`] : [];
    const spawn = {
      command: process.execPath,
      args: [main, "stdio", "--agent", agent, ...at],
      env: {
        PATH: process.env.PATH!,
        ...(way === "stdio" && { REDIS_URL: store.url, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" }),
        LLM_MAILBOX_NAMESPACE: desk.namespace,
        LLM_MAILBOX_LOG_LEVEL: "error",
      },
      stderr: "ignore" as const,
    };
    const capabilities = { elicitation: { form: {} } };
    const asked: string[] = [];
    const answer = (message: string) => {
      asked.push(message);
      return user(message);
    };
    if (era === "2025-11-25") {
      const client = new OlderClient({ name: "older", version: "1" }, { capabilities });
      client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answer(params.message));
      await client.connect(
        (way === "http" ? new OlderHttp(url) : new OlderStdio({ ...spawn })) as OlderStdio,
      );
      closing.push(() => client.close());
      const call = async (name: string, input: object) =>
        textOf(await client.callTool({ name, arguments: { ...input } }));
      return { agent, asked, call };
    }
    const client = new ModernClient(
      { name: "modern", version: "1" },
      { capabilities, versionNegotiation: { mode: { pin: "2026-07-28" } } },
    );
    client.setRequestHandler("elicitation/create", async ({ params }) => answer(params.message));
    await client.connect(way === "http" ? new ModernHttp(url) : new ModernStdio({ ...spawn }));
    closing.push(() => client.close());
    const call = async (name: string, input: object) =>
      textOf(await client.callTool({ name, arguments: { ...input } }));
    return { agent, asked, call };
  }

  const latest = async () =>
    (await listApprovals(desk.house.approvals, desk.operator(), { all: true, limit: 1 }))[0]!;

  describe.each(eras)("that speaks %s", (era) => {
    it.each<Way>(["stdio", "http", "relay"])(
      "is shown the request over %s, and agrees or not",
      async (way) => {
        const step = {
          action: "deploy",
          resource: "site",
          context: { arguments: { version: way } },
          why: "it is ready",
        };
        const agreeing = await connect(era, way, () => ({
          action: "accept",
          content: { decision: "approve" },
        }));
        expect(await agreeing.call("check_policy", step)).toMatch(
          /^allow, by approval ap-\w+, which is used up now/,
        );
        expect(agreeing.asked).toHaveLength(1);
        for (const part of [
          agreeing.agent,
          "deploy",
          `"version": "${way}"`,
          "it is ready",
          "a person has to agree",
        ])
          expect(agreeing.asked[0]).toContain(part);
        expect(await latest()).toMatchObject({ state: "used", votes: [{ way: "client", verified: false }] });
        // Once used it is asked anew, and now they do not want to.
        const refusing = await connect(era, way, () => ({
          action: "accept",
          content: { decision: "reject" },
        }));
        expect(await refusing.call("check_policy", step)).toMatch(
          /^deny: do not do it\n.*approval ap-\w+: rejected/s,
        );
        expect(await latest()).toMatchObject({ state: "rejected" });
        const away = await connect(era, way, () => ({ action: "decline" }));
        expect(await away.call("check_policy", step)).toMatch(/^require_approval: do not do it yet\n/);
        expect(await away.call("check_policy", step)).toMatch(/^require_approval: do not do it yet\n/);
        expect(away.asked).toHaveLength(1);
      },
    );

    it("lets a call of our own pass once they agreed, the same call and once", async () => {
      const { call, asked } = await connect(era, "stdio", () => ({
        action: "accept",
        content: { decision: "approve" },
      }));
      const send = { to: ["somebody"], body: "hello", create: true };
      const refused = await call("send_message", send);
      expect(refused).toContain("policy.approval_required");
      const approval_id = /ap-\w+/.exec(refused)![0];
      expect(await call("check_policy", { approval_id })).toMatch(/^approved, and not used yet\n/);
      expect(asked[0]).toContain('"body": "hello"');
      expect(await call("send_message", { ...send, body: "hello!" })).toContain("policy.approval_required");
      expect(await call("send_message", send)).toMatch(/^sent /);
      expect(await call("send_message", { ...send, again: true })).toContain("policy.approval_required");
    });
  });
});

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content.map(({ text }) => text).join("\n");
}
