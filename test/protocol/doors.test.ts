import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HttpService, serveHttp } from "../../src/http/index.js";
import { guardedPaths, openPaths } from "../../src/http/serve-http.js";
import {
  type Caller,
  mintToken,
  operatorPrincipal,
  type Role,
  type RunId,
} from "../../src/identity/index.js";
import { openServiceMetrics } from "../../src/observability/index.js";
import { changeGrants } from "../agents/change-grants.js";
import { AuditDesk, told } from "../audit/audit-desk.js";
import { main } from "../cli/command-line.js";
import { type Asked, ask, initialize, json, message, modernCall, modernListen } from "../http/raw-http.js";
import { type Issuer, openIssuer } from "../identity/issuer.js";
import { noLog } from "../mcp/support.js";
import { startStore, type TestStore } from "../stores/index.js";
import { connectHttp, connectStdio, type TestClient } from "./clients.js";

/**
 * Every door of the program with every credential: which doors there are is read from the program, and one without a line
 * here fails. A cell tells what is answered, and that exactly one audit row is left.
 */

const self = "alice";
const absent = {
  message: "1kq0x3v9a2-0a1b2c3d4e5f6",
  lock: "lk-000000000000",
  reservation: "rs-00000000000000000000",
  approval: "ap-000000000000",
};

/** What a door needs, and how the row of whoever may pass ends where that is not `ACTION RESOURCE allow …`. */
interface Need {
  readonly needs: readonly [action: string, resource: string];
  /** What whoever may pass is told all the same, as what is named here is nowhere. */
  readonly ends?: string;
  /** What the row names, where it is more than what is asked about. */
  readonly named?: string;
}

const tools: Readonly<Record<string, Need & { readonly input: Record<string, unknown> }>> = {
  send_message: { input: { to: ["bob"], body: "x" }, needs: ["mailbox.send", "bob"] },
  read_inbox: { input: {}, needs: ["mailbox.read", self] },
  ack_messages: {
    input: { ids: [absent.message] },
    needs: ["mailbox.read", self],
    ends: "mailbox.not_yours",
  },
  search_messages: { input: {}, needs: ["mailbox.read", self] },
  subscribe_topic: { input: { topic: "builds" }, needs: ["topic.read", "topic:builds"] },
  find_recipients: { input: {}, needs: ["agents.find", "*"] },
  my_status: { input: {}, needs: ["agents.describe", self] },
  acquire_lock: { input: { resources: ["a"] }, needs: ["lock.acquire", "lock:a"] },
  release_lock: { input: { lock_id: absent.lock }, needs: ["lock.acquire", "*"] },
  list_locks: { input: {}, needs: ["lock.read", "*"] },
  get_state: { input: { key: "plan/a" }, needs: ["state.read", "state:plan/a"] },
  put_state: { input: { key: "plan/a", value: "1" }, needs: ["state.write", "state:plan/a"] },
  check_policy: {
    input: { action: "file.read" },
    needs: ["policy.check", "*"],
    named: "check:file.read",
  },
  settle_reservation: {
    input: { reservation_id: absent.reservation, cost: 1 },
    needs: ["budget.settle", "*"],
    ends: "budget.unknown_reservation",
  },
  decide_approval: { input: {}, needs: ["approval.decide", "*"] },
  manage_dead_letters: { input: { action: "list" }, needs: ["admin.dead-letters", "*"] },
};

/** By what `resources/list` and `resources/templates/list` show. */
const resources: Readonly<Record<string, Need & { readonly uri: string; readonly watched?: string }>> = {
  "mailbox://inbox": { uri: "mailbox://inbox", needs: ["mailbox.read", self], watched: self },
  "mailbox://topics": {
    uri: "mailbox://topics",
    needs: ["topic.read", "*"],
    named: "topic:**",
    watched: "*",
  },
  "mailbox://locks": { uri: "mailbox://locks", needs: ["lock.read", "*"], watched: "*" },
  "mailbox://agents": { uri: "mailbox://agents", needs: ["agents.find", "*"], watched: "*" },
  "mailbox://topics/{topic}{?before,limit}": {
    uri: "mailbox://topics/builds",
    needs: ["topic.read", "topic:builds"],
    watched: "topic:builds",
  },
  "mailbox://state/{+key}": {
    uri: "mailbox://state/plan/a",
    needs: ["state.read", "state:plan/a"],
    watched: "state:plan/a",
  },
  "mailbox://threads/{id}": {
    uri: `mailbox://threads/${absent.message}`,
    needs: ["mailbox.read", self],
  },
  "mailbox://messages/{id}": {
    uri: `mailbox://messages/${absent.message}`,
    needs: ["mailbox.read", self],
    ends: "mailbox.not_yours",
  },
};

const bash = { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: "ls" }, cwd: "/r" };
const form = { "content-type": "application/x-www-form-urlencoded" };
const noSession = { row: "auth.session * refuse input.invalid", ends: "404" } as const;

/** What is asked of a path with a method, as `guardedPaths` has them; without needs whoever is believed may. */
interface Way extends Asked {
  /** The path where it is another than the family. */
  readonly path?: string;
  readonly needs?: Need["needs"];
  readonly ends?: string;
  readonly named?: string;
  /** The one row of whoever is believed, where none is decided by rights. */
  readonly row?: string;
  /** What proves who asks is in the address. */
  readonly byLink?: true;
  /** It stays open. */
  readonly stream?: true;
}
const ways: Readonly<Record<string, readonly Way[]>> = {
  "POST /mcp": [
    { headers: json, body: initialize(), row: "" },
    { headers: { ...json, "mcp-session-id": "x" }, body: message(1, "tools/list"), ...noSession },
  ],
  "GET /mcp": [{ headers: { accept: "text/event-stream", "mcp-session-id": "x" }, ...noSession }],
  "DELETE /mcp": [{ method: "DELETE", headers: { "mcp-session-id": "x" }, ...noSession }],
  "GET /sse": [{ headers: { accept: "text/event-stream" }, stream: true, row: "" }],
  "POST /sse/messages": [
    { path: "/sse/messages?session=x", headers: json, body: message(1, "ping"), ...noSession },
  ],
  "GET /approvals": [{ needs: ["approval.read", "*"] }],
  "GET /approvals/…": [
    {
      path: `/approvals/${absent.approval}`,
      needs: ["approval.read", `approval:${absent.approval}`],
      ends: "approval.unknown",
    },
  ],
  "POST /approvals/…": [
    {
      path: `/approvals/${absent.approval}`,
      headers: json,
      body: JSON.stringify({ decision: "approve" }),
      needs: ["approval.decide", `approval:${absent.approval}`],
      ends: "approval.unknown",
    },
  ],
  "GET /a/…": [{ path: "/a/x", byLink: true, row: " approval.read * refuse approval.link_void" }],
  "POST /a/…": [
    {
      path: "/a/x",
      headers: form,
      body: "decision=approve",
      byLink: true,
      row: " approval.decide * refuse approval.link_void",
    },
  ],
  "POST /policy/hook": [
    {
      headers: json,
      body: JSON.stringify(bash),
      needs: ["policy.check", "*"],
      named: "check:shell.run",
    },
  ],
  "POST /locks/guard": [
    { headers: json, body: JSON.stringify({ files: ["a"] }), needs: ["lock.read", "lock:a"] },
    { headers: json, body: JSON.stringify({ stop: { session: "x" } }), row: "lock.release * allow own" },
  ],
};

/** What a role may here without a grant; written down anew, as an oracle. */
const ofEverybody = "agents.find topic.read lock.read state.read agents.describe mailbox.read";
const mayByRole: Readonly<Record<Role, string>> = {
  observer: ofEverybody,
  agent: `${ofEverybody} mailbox.send policy.check topic.publish lock.acquire state.write budget.settle`,
  approver: `${ofEverybody} mailbox.send policy.check approval.read approval.decide`,
  admin: "everything",
};
function mayAs(roles: readonly Role[], action: string): boolean {
  return roles.some((role) => role === "admin" || mayByRole[role].split(" ").includes(action));
}

interface Person {
  readonly roles: readonly Role[];
  readonly grant?: "allow" | "deny";
}
const people: Readonly<Record<string, Person>> = {
  "an agent": { roles: ["agent"] },
  "an observer": { roles: ["observer"] },
  "an approver": { roles: ["approver"] },
  "an admin": { roles: ["admin"] },
  "an agent that is denied everything": { roles: ["agent"], grant: "deny" },
  "an observer that is granted everything": { roles: ["observer"], grant: "allow" },
};

let store: TestStore;
let issuer: Issuer;
let stranger: Issuer;
let dir: string;
beforeAll(async () => {
  store = await startStore("embedded");
  [issuer, stranger] = [await openIssuer(), await openIssuer()];
  dir = mkdtempSync(join(tmpdir(), "mailbox-doors-"));
  writeFileSync(join(dir, "keys.json"), JSON.stringify(issuer.keys()));
});
afterAll(async () => {
  await Promise.all([issuer?.close(), stranger?.close()]);
  await store?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A server with a namespace of its own. */
interface Served {
  readonly desk: AuditDesk;
  readonly service: HttpService;
  readonly operator: Caller;
  close(): Promise<void>;
}
async function serve(): Promise<Served> {
  const desk = await AuditDesk.open(store.url, {
    settings: {
      LLM_MAILBOX_JWKS: join(dir, "keys.json"),
      LLM_MAILBOX_JWT_ISSUER: issuer.issuer,
      LLM_MAILBOX_JWT_AUDIENCE: issuer.audience,
    },
  });
  const metrics = openServiceMetrics({ version: "0", tools: [], codes: [] });
  const service = await serveHttp(desk.house.rooms, {
    ...{ namespace: desk.namespace, version: "0", log: noLog, port: 0, metrics },
  });
  const operator = { principal: operatorPrincipal(desk.namespace), run: { id: "operator/test" as RunId } };
  return {
    ...{ desk, service, operator },
    close: async () => {
      await service.close();
      metrics.close();
      await desk.close();
    },
  };
}

/** The code that an answer refuses with, in whichever form; ok where it does not. */
function codeIn(body: string): string {
  const said =
    /"(?:text|message|stopped|permissionDecisionReason)":"(?:LLM Mailbox policy: )?([a-z]+\.[a-z_]+): /.exec(
      body,
    );
  return said?.[1] ?? "ok";
}

async function answerOf(url: string, { stream, method, headers, body }: Way) {
  const response = await fetch(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: headers as Record<string, string>,
    ...(body !== undefined && { body }),
  });
  const isOpen = stream && response.headers.get("content-type")?.includes("event-stream");
  if (isOpen) await response.body!.getReader().cancel();
  return {
    status: response.status,
    code: isOpen ? "ok" : codeIn(await response.text()),
    challenge: response.headers.get("www-authenticate") ?? "",
  };
}

/** Every door over HTTP. */
function doors(): readonly (readonly [name: string, way: Way])[] {
  const mcp = (method: string, params: object): Asked => modernMessage(method, params);
  return [
    ...Object.entries(tools).map(
      ([name, { input, ...need }]) =>
        [`tool ${name}`, { path: "/mcp", ...modernCall(1, name, input), ...need }] as const,
    ),
    ...Object.entries(resources).map(
      ([name, { uri, watched: __, ...need }]) =>
        [`read ${name}`, { path: "/mcp", ...mcp("resources/read", { uri }), ...need }] as const,
    ),
    ...Object.entries(resources).flatMap(([name, { uri, watched, needs }]) =>
      watched === undefined
        ? []
        : [
            [
              `listen ${name}`,
              { path: "/mcp", ...modernListen(1, [uri]), stream: true, needs: [needs[0], watched] },
            ] as const,
          ],
    ),
    ...["tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"].map(
      (method) => [method, { path: "/mcp", ...mcp(method, {}), row: "" }] as const,
    ),
    ["prompts/get", { path: "/mcp", ...mcp("prompts/get", { name: "check_in" }), row: "" }],
    ...Object.entries(ways).flatMap(([name, all]) =>
      all.map((way, n) => [`${name} ${n}`, { path: name.split(" ")[1]!, ...way }] as const),
    ),
  ];
}

function modernMessage(method: string, params: { name?: string; uri?: string }): Asked {
  const { headers, body } = modernCall(1, "x");
  const { _meta } = (JSON.parse(body!) as { params: { _meta: object } }).params;
  return {
    headers: { ...headers, "mcp-method": method, "mcp-name": params.name ?? params.uri ?? "" },
    body: message(1, method, { ...params, _meta }),
  };
}

describe("the doors", () => {
  it("are all there are: tools, resources, subscriptions, and paths with their methods", async () => {
    const { desk, service, operator, close } = await serve();
    const { token } = await desk.house.tokens.issue(operator, self, {}, ["admin"]);
    const client = await connectHttp("2026-07-28", `${service.url}/mcp`, "Test", {
      authorization: `Bearer ${token}`,
    });
    const raw = client.raw as {
      listTools(): Promise<{ tools: { name: string }[] }>;
      listResources(): Promise<{ resources: { uri: string; description?: string }[] }>;
      listResourceTemplates(): Promise<{
        resourceTemplates: { uriTemplate: string; description?: string }[];
      }>;
    };
    expect((await raw.listTools()).tools.map(({ name }) => name).sort()).toEqual(Object.keys(tools).sort());
    const listed = [
      ...(await raw.listResources()).resources.map(({ uri, description }) => [uri, description] as const),
      ...(await raw.listResourceTemplates()).resourceTemplates.map(
        ({ uriTemplate, description }) => [uriTemplate, description] as const,
      ),
    ];
    expect(listed.map(([uri]) => uri).sort()).toEqual(Object.keys(resources).sort());
    expect(
      listed
        .filter(([, description]) => description?.includes("Can be subscribed to"))
        .map(([uri]) => uri)
        .sort(),
    ).toEqual(
      Object.keys(resources)
        .filter((uri) => resources[uri]!.watched !== undefined)
        .sort(),
    );
    await client.close();
    expect(
      Object.entries(guardedPaths)
        .flatMap(([path, methods]) => methods.map((method) => `${method} ${path}`))
        .sort(),
    ).toEqual(Object.keys(ways).sort());
    for (const path of openPaths) expect((await ask(`${service.url}${path}`)).status, path).toBe(200);
    await close();
  });
});

describe("over HTTP", () => {
  /** Whatever proves nothing here. */
  const unproved: Readonly<Record<string, (at: Served) => Promise<string | undefined>>> = {
    "no credential": async () => undefined,
    "what is no credential": async () => "x",
    "an unknown token": async ({ desk }) => mintToken(desk.namespace).text,
    "an expired token": async ({ desk, operator }) => {
      const { token } = await desk.house.tokens.issue(operator, self, { ttlMs: 1_000 });
      await delay(1_300);
      return token;
    },
    "a token that was revoked just now": async ({ desk, operator }) => {
      const { token, id } = await desk.house.tokens.issue(operator, self, {});
      await desk.house.tokens.revoke(operator, id);
      return token;
    },
    "a token moved from another namespace": async ({ desk }) =>
      mintToken("other").text.replace("lmt_other_", `lmt_${desk.namespace}_`),
    "an expired JWT": () => issuer.sign({ sub: self }, { expires: -1 }),
    "a JWT that is not yet valid": () =>
      issuer.sign({ sub: self, nbf: Math.floor(Date.now() / 1000) + 300 }, { expires: 900 }),
    "a JWT for another audience": () => issuer.sign({ sub: self, aud: "another" }),
    "a JWT of another issuer": () => issuer.sign({ sub: self, iss: "https://other.example" }),
    "a JWT with another signature": () => stranger.sign({ sub: self }),
  };

  it.each(Object.keys(unproved))(
    "nothing is opened by %s, alike at every door, and each leaves one row",
    async (what) => {
      const at = await serve();
      const { desk, operator } = at;
      await desk.house.tokens.issue(operator, "somebody", {}); // from now on a name alone is not believed
      const credential = await unproved[what]!(at);
      const code = credential === undefined ? "auth.required" : "auth.invalid";
      const [seen, wanted] = [new Cells(), new Cells()];
      for (const [name, way] of doors()) {
        const { status, code: said, challenge, rows } = await tried(at, way, credential);
        seen.push([
          name,
          status,
          way.byLink ? "" : said,
          /^Bearer .*resource_metadata=/.test(challenge),
          rows,
        ]);
        wanted.push(
          way.byLink
            ? [name, 410, "", false, [way.row]]
            : [name, 401, code, true, [` auth.prove * deny ${code}`]],
        );
      }
      expect(seen).toEqual(wanted);
      await at.close();
    },
  );

  it("nothing is opened by a token whose agent was stopped, and each leaves one row", async () => {
    const at = await serve();
    const { token } = await at.desk.house.tokens.issue(at.operator, self, {}, ["admin"]);
    await at.desk.house.killSwitch.stop(at.operator, self, "a test");
    const [seen, wanted] = [new Cells(), new Cells()];
    for (const [name, way] of doors()) {
      if (way.byLink) continue;
      const { code, rows } = await tried(at, way, token);
      seen.push([name, code, rows]);
      wanted.push([name, "access.stopped", [`${self} auth.prove * deny access.stopped`]]);
    }
    expect(seen).toEqual(wanted);
    await at.close();
  });

  it.each(Object.keys(people))(
    "%s passes where it may and nowhere else, and each leaves one row",
    async (who) => {
      const at = await withPerson(people[who]!);
      const [seen, wanted] = [new Cells(), new Cells()];
      for (const [name, way] of doors()) {
        if (way.byLink) continue;
        const { status, code, rows } = await tried(at, way, at.token);
        seen.push(way.needs ? [name, code, rows] : [name, String(status), rows]);
        wanted.push(
          way.needs
            ? [name, ...expected(people[who]!, way as Need, name)]
            : [name, way.ends ?? "200", way.row ? [`${self} ${way.row}`] : []],
        );
      }
      expect(seen).toEqual(wanted);
      await at.close();
    },
  );
});

/** Of each door what was answered and which rows it left, all of them compared at once. */
class Cells extends Array<readonly unknown[]> {}

/** What a door answers, and the rows that this leaves. */
async function tried({ desk, service }: Served, way: Way, credential: string | undefined) {
  const before = await desk.events();
  const proof = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const answer = await answerOf(`${service.url}${way.path}`, {
    ...way,
    headers: { ...way.headers, ...proof },
  });
  return { ...answer, rows: (await desk.eventsSince(before)).map(told) };
}

/** A server where somebody has a token, and the topic that the doors name is there. */
async function withPerson({ roles, grant }: Person): Promise<Served & { readonly token: string }> {
  const served = await serve();
  const { desk, operator } = served;
  await desk.house.rooms.mail.sendMessage(operator, { to: ["topic:builds"], body: "x" });
  const { token } = await desk.house.tokens.issue(operator, self, {}, roles);
  await desk.house.tokens.issue(operator, "bob", {}, ["agent"]);
  if (grant) await changeGrants(desk.house.access, desk.namespace, [grant, self, "*", "*"]);
  return { ...served, token };
}

/** What a person is told at a door, and the rows that it leaves. */
function expected(
  { roles, grant }: Person,
  { needs, ends, named }: Need,
  door: string,
): readonly [code: unknown, rows: unknown] {
  const [action, resource] = needs;
  const may = grant === undefined ? mayAs(roles, action) : grant === "allow";
  const row = (more: string): unknown =>
    expect.stringMatching(new RegExp(`^${self} ${escaped(`${action} ${resource}`)} ${more}`));
  if (!may) {
    // A listener is told of nothing that it may not see, and a guard of each file by itself; what was decided is in the audit.
    const code = door.startsWith("listen") ? "ok" : "access.denied";
    return [code, [row("deny access\\.denied")]];
  }
  if (ends) return [ends, [row(`refuse ${ends}`)]];
  return [
    "ok",
    [expect.stringMatching(new RegExp(`^${self} ${escaped(`${action} ${named ?? resource}`)} allow `))],
  ];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

describe.each(["stdio", "stdio --server"])("over %s", (how) => {
  it.each(Object.keys(people))(
    "%s passes where it may and nowhere else, and each leaves one row",
    async (who) => {
      const { desk, service, token, close } = await withPerson(people[who]!);
      const env = {
        PATH: process.env.PATH!,
        HOME: process.env.HOME!,
        LLM_MAILBOX_TOKEN: token,
        LLM_MAILBOX_LOG_LEVEL: "silent",
      };
      const more = how === "stdio" ? { REDIS_URL: store.url } : {};
      const args = how === "stdio" ? [] : ["--server", service.url];
      const spawn = { command: process.execPath, args: [main, "stdio", ...args], env: { ...env, ...more } };
      const client: TestClient = await connectStdio("2025-11-25", spawn);
      const codeOf = (said: Promise<string>): Promise<string> =>
        said
          .then(
            (text) => text,
            (error: Error) => error.message,
          )
          .then((text) => /(?:^|: )([a-z]+\.[a-z_]+): /.exec(text)?.[1] ?? "ok");
      const attempts: readonly (readonly [name: string, need: Need, said: () => Promise<string>])[] = [
        ...Object.entries(tools).map(
          ([name, need]) =>
            [`tool ${name}`, need, async () => (await client.call(name, need.input)).text] as const,
        ),
        ...Object.entries(resources).map(
          ([name, need]) => [`read ${name}`, need, () => client.read(need.uri)] as const,
        ),
        ...Object.entries(resources).flatMap(([name, { needs, watched, uri }]) =>
          watched === undefined
            ? []
            : [
                [
                  `subscribe ${name}`,
                  { needs: [needs[0], watched] },
                  async () => String(await client.follow([uri], () => undefined)),
                ] as const,
              ],
        ),
      ];
      const [seen, wanted] = [new Cells(), new Cells()];
      for (const [name, need, said] of attempts) {
        const before = await desk.events();
        const code = await codeOf(said());
        seen.push([name, code, (await desk.eventsSince(before)).map(told)]);
        wanted.push([name, ...expected(people[who]!, need, name)]);
      }
      expect(seen).toEqual(wanted);
      await client.close();
      await close();
    },
  );
});
