import { randomUUID } from "node:crypto";
import { Client as ModernClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, InMemoryTransport, Server } from "@modelcontextprotocol/server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  awaitApproval,
  claimApproval,
  decideByClient,
  listApprovals,
  openApproval,
} from "../../src/approvals/index.js";
import { callTool } from "../../src/mcp/call-tool.js";
import { Connection } from "../../src/mcp/connection.js";
import { defineTool } from "../../src/mcp/define-tool.js";
import { newExchange } from "../../src/mcp/exchange.js";
import { ApprovalDesk, plainTerms } from "../approvals/approval-desk.js";
import { startStore, type TestStore } from "../stores/index.js";
import { noLog } from "./support.js";

type Content = Record<string, string | number | boolean | string[]>;
/** What the person at the client does when a form is shown to them. */
type Person = (
  message: string,
  schema: unknown,
) => Promise<{ action: "accept" | "decline" | "cancel"; content?: Content }>;
interface Elicitation {
  readonly form?: Record<string, never>;
  readonly url?: Record<string, never>;
}

interface Asking {
  /** Calls the tool that needs a person's word; answers what became of the request. */
  ask(more?: object): Promise<{ readonly state: string; readonly approval_id?: string }>;
  close(): Promise<void>;
}

interface Telling {
  /** Calls it with the word that a user agreed to the request with this id, whether or not they were asked. */
  tell(more: object, id: string): Promise<Outcome>;
}

let store: TestStore;
let desk: ApprovalDesk;
beforeAll(async () => {
  store = await startStore("embedded");
  desk = await ApprovalDesk.open(store.url);
});
afterAll(async () => {
  await desk?.close();
  await store?.stop();
});

interface Outcome {
  readonly state: string;
  readonly approval_id?: string;
}

/** A tool that does something once a person let it. */
const risky = defineTool({
  name: "risky",
  title: "Risky step",
  description: "Does what a person has to approve.",
  input: z.object({
    path: z.string().optional(),
    approval_id: z.string().optional(),
    by_client: z.boolean().optional(),
    quorum: z.number().optional(),
    expires_ms: z.number().optional(),
  }),
  output: z.object({ state: z.string(), approval_id: z.string().exactOptional() }),
  needs: ["policy.check"],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  handle: async (
    { path = "", approval_id, by_client = true, quorum = 1, expires_ms = 3_600_000 },
    { caller },
  ): Promise<Outcome> => {
    const { approvals } = desk.house;
    if (approval_id) {
      const { state } = await awaitApproval(approvals, caller, approval_id);
      return { state, approval_id };
    }
    const question = { action: "file.delete", resource: "", arguments: { path }, context: {} };
    const terms = { ...plainTerms, byClient: by_client, quorum, expiresMs: expires_ms };
    const claimed = await claimApproval(approvals, caller, question, {
      ...{ operation: path, attempt: randomUUID(), terms },
    });
    await claimed?.settle(true);
    if (claimed) return { state: "done" };
    const { id, state } = await openApproval(desk.house.approvals, caller, {
      ...{ ...question, rules: ["r"], reasons: ["it destroys"], why: "I\u202e want to", risk: "" },
      terms,
    });
    return { state, approval_id: id };
  },
  say: ({ state }) => state,
  asksClient: {
    waitsFor: ({ state, approval_id }: Outcome) => (state === "pending" ? approval_id : undefined),
    again: (_, approval_id) => ({ approval_id }),
  },
});

function serverOf(connection: Connection): Server {
  const server = new Server({ name: "test", version: "0" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/call", (request, context) =>
    callTool(risky, request.params.arguments ?? {}, {
      ...{ connection, structured: true, clientName: "test", context },
      clientCan: server.getClientCapabilities(),
      exchange: newExchange(context.mcpReq.signal),
    }),
  );
  return server;
}

let agents = 0;
const connectionOf = (): Connection =>
  new Connection(
    desk.house.rooms,
    { namespace: desk.namespace, version: "0", log: noLog },
    { session: true, agent: `asker-${agents++}` },
  );

async function older(person: Person, elicitation?: Elicitation): Promise<Asking> {
  const connection = connectionOf();
  const server = serverOf(connection);
  const [here, far] = InMemoryTransport.createLinkedPair();
  const client = new OlderClient(
    { name: "older", version: "1" },
    { capabilities: { ...(elicitation && { elicitation: { ...elicitation } }) } },
  );
  if (elicitation)
    client.setRequestHandler(ElicitRequestSchema, ({ params }) =>
      person(params.message, "requestedSchema" in params ? params.requestedSchema : undefined),
    );
  await server.connect(here);
  await client.connect(far as never);
  return {
    ask: async (more = {}) =>
      (await client.callTool({ name: "risky", arguments: { path: "/a", ...more } }))
        .structuredContent as never,
    close: async () => {
      await client.close();
      await connection.end("left");
    },
  };
}

async function modern(person: Person, elicitation?: Elicitation): Promise<Asking & Telling> {
  const connection = connectionOf();
  let saysUnasked: string | undefined;
  const handler = createMcpHandler(() => serverOf(connection), { legacy: "reject" });
  const client = new ModernClient(
    { name: "modern", version: "1" },
    {
      capabilities: { ...(elicitation && { elicitation: { ...elicitation } }) },
      versionNegotiation: { mode: { pin: "2026-07-28" } },
    },
  );
  if (elicitation)
    client.setRequestHandler("elicitation/create", ({ params }) =>
      person(params.message, "requestedSchema" in params ? params.requestedSchema : undefined),
    );
  await client.connect(
    new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
      fetch: async (url, init) => {
        const sent = JSON.parse(String(init?.body ?? "{}"));
        if (saysUnasked && sent.method === "tools/call")
          sent.params.inputResponses = {
            [saysUnasked]: { action: "accept", content: { decision: "approve" } },
          };
        const body = init?.body === undefined ? {} : { body: JSON.stringify(sent) };
        return handler.fetch(new Request(url, { ...init, ...body } as RequestInit));
      },
    }),
  );
  return {
    ask: async (more = {}) =>
      (await client.callTool({ name: "risky", arguments: { path: "/a", ...more } }))
        .structuredContent as never,
    tell: async (more, id) => {
      saysUnasked = id;
      return (await client.callTool({ name: "risky", arguments: { path: "/a", ...more } }))
        .structuredContent as never;
    },
    close: async () => {
      await client.close();
      await handler.close();
      await connection.end("left");
    },
  };
}

let bothered = 0;
const nobody: Person = async () => {
  bothered += 1;
  return { action: "cancel" };
};

describe.each([
  ["2025-11-25", older],
  ["2026-07-28", modern],
] as const)("the user of a client that speaks %s", (_, connect) => {
  const open: Asking[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  const at = async (person: Person, elicitation?: Elicitation): Promise<Asking> => {
    const asking = await connect(person, elicitation);
    open.push(asking);
    return asking;
  };
  const latest = async () =>
    (await listApprovals(desk.house.approvals, desk.operator(), { all: true, limit: 1 }))[0]!;

  it("is asked with all of it, and their approval is known in the same turn, as their client's word", async () => {
    const shown: string[] = [];
    const { ask } = await at(
      async (message, schema) => {
        shown.push(message);
        expect(schema).toMatchObject({ properties: { decision: { enum: ["approve", "reject"] } } });
        return { action: "accept", content: { decision: "approve", comment: "go on" } };
      },
      { form: {} },
    );
    expect(await ask()).toMatchObject({ state: "approved" });
    expect(await ask()).toMatchObject({ state: "done" });
    expect(shown).toHaveLength(1);
    for (const part of [
      "asks before it acts",
      '"path": "/a"',
      "| why:       I\\u{202e} want to",
      "it destroys",
    ])
      expect(shown[0]).toContain(part);
    // A client may fold the rest of it.
    expect(shown[0]!.split("\n").slice(0, 3)).toEqual([
      expect.stringMatching(/^[\w-]+ asks before it acts, in words that nobody checked:$/),
      expect.stringMatching(/^\| action: {4}\S/),
      expect.stringMatching(/^\| (resource|why): +\S/),
    ]);
    const { agent, votes, state } = await latest();
    expect(state).toBe("used");
    expect(votes).toMatchObject([
      { by: `client of ${agent}`, verified: false, way: "client", decision: "approve", comment: "go on" },
    ]);
    const rows = (await desk.rows()).filter((row) => row.startsWith(`${agent} `));
    expect(rows.map((row) => row.replace(/ap-\w+/, "ID"))).toEqual([
      `${agent} approval.open approval:ID allow rules r`,
      `${agent} approval.decide approval:ID allow role agent: approve by client`,
      `${agent} approval.use approval:ID allow approved by client of ${agent}`,
    ]);
  });

  it("may reject, which stands", async () => {
    const { ask } = await at(async () => ({ action: "accept", content: { decision: "reject" } }), {});
    expect(await ask()).toMatchObject({ state: "rejected" });
    expect(await latest()).toMatchObject({ state: "rejected", effect: "deny", votes: [{ way: "client" }] });
  });

  it.each([
    ["declines", async () => ({ action: "decline" as const })],
    ["cancels", async () => ({ action: "cancel" as const })],
    ["says something else", async () => ({ action: "accept" as const, content: { decision: "perhaps" } })],
  ])(
    "leaves the request to its approvers where it %s, and is not asked about it again",
    async (_does, person) => {
      let times = 0;
      const { ask } = await at(
        (...shown) => {
          times += 1;
          return (person as Person)(...shown);
        },
        { form: {} },
      );
      const answer = await ask();
      expect(answer).toMatchObject({ state: "pending" });
      expect((await latest()).votes).toEqual([]);
      expect(await ask()).toMatchObject({ state: "pending", approval_id: answer.approval_id });
      expect(times).toBe(1);
    },
  );

  it("is not asked where the rules do not let them, more are needed, or the client shows no forms", async () => {
    const { ask } = await at(nobody, { form: {} });
    expect(await ask({ by_client: false })).toMatchObject({ state: "pending" });
    expect(await ask({ path: "/b", quorum: 2 })).toMatchObject({ state: "pending" });
    // What would be cut is not shown at all.
    expect(await ask({ path: "x".repeat(9_000) })).toMatchObject({ state: "pending" });
    expect(await (await at(nobody, { url: {} })).ask()).toMatchObject({ state: "pending" });
    expect(await (await at(nobody)).ask()).toMatchObject({ state: "pending" });
    expect(bothered).toBe(0);
  });

  it("decides nothing any more once an approver has", async () => {
    const { ask } = await at(
      async (message) => {
        const [id] = /ap-\w{12}/.exec(message)!;
        await desk.decide(id, "reject", {}, desk.operator());
        return { action: "accept", content: { decision: "approve" } };
      },
      { form: {} },
    );
    const answer = await ask();
    expect((await latest()).id).toBe(answer.approval_id);
    expect(await latest()).toMatchObject({ votes: [{ by: "operator", decision: "reject" }] });
  });
});

it("a client of 2026-07-28 brings no answer to what its user was not shown, or could not be", async () => {
  for (const [elicitation, more] of [
    [undefined, {}],
    [{ url: {} }, {}],
    [{ form: {} }, { path: "x".repeat(9_000) }],
  ] as const) {
    const { ask, tell, close } = await modern(nobody, elicitation);
    const { approval_id } = await ask(more);
    expect(await tell(more, approval_id!)).toEqual({ state: "pending", approval_id });
    await close();
  }
  // Whoever was shown it may say so also with a later call.
  const asked = await modern(async () => ({ action: "decline" }), { form: {} });
  const { approval_id } = await asked.ask();
  expect(await asked.tell({}, approval_id!)).toEqual({ state: "approved", approval_id });
  await asked.close();
});

it("a call of 2025-11-25 returns when somebody else decides while its form is open, and tells that", async () => {
  const { ask, close } = await older(
    async (message) => {
      await desk.decide(/ap-\w{12}/.exec(message)![0], "reject", {}, desk.operator());
      return new Promise(() => undefined);
    },
    { form: {} },
  );
  expect(await ask()).toMatchObject({ state: "rejected" });
  await close();
});

it("a call of 2025-11-25 whose form had no answer in time tells the request as it stands then", async () => {
  const { ask, close } = await older(() => new Promise(() => undefined), { form: {} });
  expect(await ask({ expires_ms: 400 })).toMatchObject({ state: "expired" });
  await close();
});

it("a client decides no request but those its rules let it, and none of others", async () => {
  const context = desk.house.approvals;
  const decision = (approval_id: string) => ({ approval_id, decision: "approve" as const });
  const plain = await desk.ask({ resource: "p" });
  const two = await desk.ask({ resource: "q" }, { byClient: true, quorum: 2 });
  const its = await desk.ask({ resource: "r" }, { byClient: true });
  for (const { id } of [plain, two])
    await expect(decideByClient(context, desk.caller("alice"), decision(id))).rejects.toThrow(
      /^approval\.client_not_counted/,
    );
  await expect(decideByClient(context, desk.caller("bob"), decision(its.id))).rejects.toThrow(
    /^approval\.unknown/,
  );
  expect((await decideByClient(context, desk.caller("alice"), decision(its.id))).approval).toMatchObject({
    ...{ state: "approved", decided_by: ["client of alice"] },
  });
});
