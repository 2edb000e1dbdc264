import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { mintToken } from "../../src/identity/index.js";
import { inspectEngine } from "../../src/redis/engine/index.js";
import { runWith } from "../cli/command-line.js";
import { type Issuer, openIssuer } from "../identity/issuer.js";
import { startStore } from "../stores/index.js";
import { connectHttp, connectStdio, type Era, eras, type TestClient } from "./clients.js";

/** The built executable: processes and a server on one store, in one namespace that has tokens. */
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "mailbox-auth-"));
const base = {
  PATH: process.env.PATH!,
  HOME: process.env.HOME!,
  LLM_MAILBOX_DATA_DIR: dataDir,
  LLM_MAILBOX_ENGINE: "embedded",
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
  LLM_MAILBOX_LOG_LEVEL: "debug",
};
/** All that any process of this file wrote to standard error. */
let logged = "";
const children = new Set<ChildProcess>();
const clients: TestClient[] = [];
let issuer: Issuer;
let jwtSettings: Record<string, string>;
let url: string;

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function start(env: Record<string, string>, ...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [main, ...args], { env: { ...base, ...env }, stdio: "pipe" });
  children.add(child);
  child.once("exit", () => children.delete(child));
  child.stdin!.on("error", () => undefined);
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    logged += text;
  });
  return child;
}

async function run(env: Record<string, string>, ...args: readonly string[]): Promise<Ended> {
  const child = start(env, ...args);
  let [out, err] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr!.on("data", (text: string) => {
    err += text;
  });
  child.stdin!.end();
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out, err };
}

/** What the command line prints for programs, run in this process: it is what goes between the calls that are looked at. */
async function json<T>(...args: readonly string[]): Promise<T> {
  const ended = await runWith({ ...base, LLM_MAILBOX_LOG_LEVEL: "silent" }, ...args, "--json");
  if (ended.status !== 0) throw new Error(ended.err);
  return JSON.parse(ended.out) as T;
}

interface Issued {
  readonly id: string;
  readonly token: string;
}
const issue = (agent: string, ...more: readonly string[]): Promise<Issued> =>
  json<Issued>("agents", "issue", agent, ...more);
const revoke = (id: string): Promise<unknown> => json("agents", "revoke", id);

async function serve(env: Record<string, string>, ...args: readonly string[]): Promise<string> {
  const child = start(env, "serve", "--port", "0", ...args);
  return new Promise((resolve, reject) => {
    let told = "";
    child.stderr!.on("data", (text: string) => {
      told += text;
      const found = told.match(/MCP\s+(http:\/\/\S+)\/mcp/);
      if (found) resolve(found[1]!);
    });
    child.once("exit", () => reject(new Error(`the server did not start: ${told}`)));
  });
}

beforeAll(async () => {
  issuer = await openIssuer();
  const jwks = join(dataDir, "keys.json");
  writeFileSync(jwks, JSON.stringify(issuer.keys()));
  jwtSettings = {
    LLM_MAILBOX_JWKS: jwks,
    LLM_MAILBOX_JWT_ISSUER: issuer.issuer,
    LLM_MAILBOX_JWT_AUDIENCE: issuer.audience,
  };
  url = await serve(jwtSettings);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close().catch(() => undefined)));
});
afterAll(async () => {
  await Promise.all(
    [...children].map(async (child) => {
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      await exit;
    }),
  );
  await issuer.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const listenRequest = (id: string | number, resourceSubscriptions: readonly string[]) => ({
  jsonrpc: "2.0",
  id,
  method: "subscriptions/listen",
  params: {
    notifications: { resourceSubscriptions },
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
});
const unique = (name: string): string => `${name}-${randomBytes(5).toString("hex")}`;
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

async function overHttp(era: Era, credential: string, at = url): Promise<TestClient> {
  const client = await connectHttp(era, `${at}/mcp`, "Test Client", bearer(credential));
  clients.push(client);
  return client;
}

async function overStdio(
  era: Era,
  env: Record<string, string>,
  ...args: readonly string[]
): Promise<TestClient> {
  const spawned = { command: process.execPath, args: [main, "stdio", ...args], env: { ...base, ...env } };
  const client = await connectStdio(era, spawned);
  clients.push(client);
  return client;
}

const transports = [
  [
    "stdio",
    (era: Era, credential: string) => overStdio(era, { ...jwtSettings, LLM_MAILBOX_TOKEN: credential }),
  ],
  ["HTTP", (era: Era, credential: string) => overHttp(era, credential)],
] as const;
const ways = transports.flatMap(([name, connect]) => eras.map((era) => [name, era, connect] as const));

/** A token that holds, one that has expired and one that was revoked. */
async function makeOverTokens(): Promise<{ agent: string; live: Issued; over: Issued; ended: Issued }> {
  const agent = unique("faulty");
  const [live, over, ended] = [await issue(agent), await issue(agent, "--expires", "1s"), await issue(agent)];
  await revoke(ended.id);
  const isOver = async (): Promise<boolean> =>
    (await json<{ id: string; state: string }[]>("agents", "tokens", agent)).some(
      ({ id, state }) => id === over.id && state === "expired",
    );
  await expect.poll(isOver, { timeout: 10_000, interval: 300 }).toBe(true);
  return { agent, live, over, ended };
}
let overTokens: ReturnType<typeof makeOverTokens> | undefined;

/** Credentials that prove nothing here, each by another fault. */
async function faulty(): Promise<readonly (readonly [string, string])[]> {
  overTokens ??= makeOverTokens();
  const { agent, live, over, ended } = await overTokens;
  const stranger = await openIssuer();
  await stranger.close();
  const now = Math.floor(Date.now() / 1000);
  const [head, body, signature] = (await issuer.sign({ sub: agent })).split(".");
  const unsigned = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
  return [
    ["an unknown token", mintToken("default").text],
    ["a token with another secret", live.token.slice(0, -43) + mintToken("default").text.slice(-43)],
    ["a token moved to another namespace", live.token.replace("lmt_default_", "lmt_other_")],
    ["a token that is cut off", live.token.slice(0, -1)],
    ["an expired token", over.token],
    ["a revoked token", ended.token],
    ["no credential at all", "x"],
    ["an expired JWT", await issuer.sign({ sub: agent }, { expires: -1 })],
    ["a JWT that is not yet valid", await issuer.sign({ sub: agent, nbf: now + 300 }, { expires: 900 })],
    ["a JWT for another audience", await issuer.sign({ sub: agent, aud: "another" })],
    ["a JWT of another issuer", await issuer.sign({ sub: agent, iss: "https://other.example" })],
    ["a JWT of another key", await stranger.sign({ sub: agent })],
    ["a JWT with another signature", `${head}.${body}.${signature!.slice(2)}AA`],
    ["a JWT without a signature", `${unsigned}.${body}.`],
    ["a JWT that names no agent", await issuer.sign({ sub: "Not An Agent" })],
  ];
}

describe.each(ways)("over %s in %s", (name, era, connect) => {
  it("a token and a JWT prove who calls, and what it sends is not marked as unverified", async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    const a = await connect(era, (await issue(alice, "--role", "agent", "--role", "approver")).token);
    const b = await connect(era, await issuer.sign({ sub: bob }, { expires: 300 }));
    expect((await a.call("my_status")).text).toMatch(
      new RegExp(`^you are ${alice} in default(.*\\n)*role: agent, approver`),
    );
    await b.call("my_status");
    await a.call("send_message", { to: bob, body: "proved" });
    const { text } = await b.call("read_inbox", { wait_seconds: 20 });
    expect(text).toContain(`from ${alice} to ${bob}`);
    expect(text).not.toContain("unverified");
  });

  it("the namespace comes from the credential, and nothing crosses from one to another", async () => {
    const [tenant, agent, secret] = [unique("tenant"), unique("alice"), unique("word")];
    const inside = await json<Issued>("agents", "issue", agent, "--namespace", tenant);
    const [here, there] = [await connect(era, (await issue(agent)).token), await connect(era, inside.token)];
    expect((await there.call("my_status")).text).toContain(`you are ${agent} in ${tenant}`);
    const updated: string[] = [];
    await here.follow(["mailbox://inbox", "mailbox://agents"], (uri) => updated.push(uri));
    await there.call("send_message", { to: [agent, `topic:${secret}`], body: secret });
    const other = await connect(
      era,
      await issuer.sign({ sub: unique("jwt"), namespace: tenant }, { expires: 300 }),
    );
    expect((await other.call("find_recipients")).text).toContain(agent);
    expect((await there.call("read_inbox", { wait_seconds: 10 })).text).toContain(secret);
    expect((await here.call("read_inbox")).text).toBe("nothing new");
    const seen = [
      (await here.call("find_recipients")).text,
      (await here.call("search_messages", { query: secret })).text,
      await here.read("mailbox://topics"),
      await here.read("mailbox://agents"),
      (await here.call("my_status")).text,
    ];
    for (const text of seen) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(tenant);
    }
    expect(updated.filter((uri) => uri === "mailbox://inbox")).toEqual([]);
  });

  it("the end of a token ends its wait within a second, and its next call is refused", async () => {
    const issued = await issue(unique("alice"));
    const client = await connect(era, issued.token);
    await client.call("my_status");
    const waiting = client.call("read_inbox", { wait_seconds: 50 }).then(
      (reply) => reply.text,
      (error: Error) => `gone: ${error.message}`,
    );
    await revoke(issued.id);
    const from = Date.now();
    expect(await waiting).toMatch(/^(auth\.invalid|gone|cancelled)/);
    expect(Date.now() - from).toBeLessThan(1_500);
    const next = await client.call("my_status").then(
      ({ text, isError }) => (isError ? text : `answered: ${text}`),
      (error: Error) => `refused: ${error.message}`,
    );
    expect(next).toMatch(name === "stdio" ? /^auth\.invalid/ : /^(refused|auth\.invalid)/);
  });

  it("what was open at the run of a token that is revoked goes on without it", async () => {
    const [alice, bob] = [unique("alice"), unique("bob")];
    const issued = await issue(alice);
    const b = await connect(era, (await issue(bob)).token);
    const a = await connect(era, issued.token);
    await b.call("send_message", { to: alice, body: "read, and not settled" });
    expect((await a.call("read_inbox")).text).toContain("read, and not settled");
    expect((await a.call("acquire_lock", { resources: [`/of/${alice}`] })).text).toMatch(/^yours until /);
    const seen = async (): Promise<string> => (await b.call("find_recipients", { text: alice })).text;
    expect(await seen()).toContain(`${alice} (online`);
    await revoke(issued.id);
    const from = Date.now();
    await expect.poll(seen, { timeout: 5_000 }).not.toContain("(online");
    const locks = await b.call("acquire_lock", { resources: [`/of/${alice}`] });
    expect(locks.text).toMatch(/^yours until /);
    expect(Date.now() - from).toBeLessThan(4_000);
    // Whoever goes on as this agent is given what the run that ended had read, while its process may live on.
    const next = await connect(era, (await issue(alice)).token);
    expect((await next.call("read_inbox")).text).toContain("read, and not settled");
    const refused = await a.call("my_status").then(({ text }) => text, String);
    expect(refused).not.toMatch(/^you are/);
  });
});

describe("stdio", () => {
  it("is refused without a token, with status 2 and what to do", async () => {
    await issue(unique("first"));
    const ended = await run({}, "stdio", "--agent", "alice");
    expect(ended).toMatchObject({ status: 2, out: "" });
    expect(ended.err).toContain("auth.required: a name alone is not believed: this namespace has tokens");
    expect(ended.err).toContain("llm-mailbox agents issue NAME");
  });

  it("is refused alike with whatever proves nothing", async () => {
    const all = await faulty();
    const told = await Promise.all(
      all.map(async ([, credential]) => {
        const settings = { ...base, ...jwtSettings, LLM_MAILBOX_LOG_LEVEL: "silent" };
        const ended = await runWith({ ...settings, LLM_MAILBOX_TOKEN: credential }, "stdio");
        if (credential.length > 5) expect(ended.err).not.toContain(credential);
        return [ended.status, ended.out, ended.err.trim().split("\n").at(-1)!];
      }),
    );
    expect(told.length).toBeGreaterThan(10);
    for (const one of told)
      expect(one).toEqual([2, "", expect.stringMatching(/^llm-mailbox: auth\.invalid: /)]);
    expect(new Set(told.map(String)).size).toBe(1);
  }, 120_000);

  it("takes its token from a file, and is refused when another name or namespace is set", async () => {
    const agent = unique("alice");
    const file = join(dataDir, `${agent}.token`);
    writeFileSync(file, `${(await issue(agent)).token}\n`, { mode: 0o600 });
    const env = { LLM_MAILBOX_TOKEN_FILE: file };
    const client = await overStdio(
      "2026-07-28",
      { ...env, LLM_MAILBOX_NAMESPACE: "default" },
      "--agent",
      agent,
    );
    expect((await client.call("my_status")).text).toContain(`you are ${agent} in default`);
    for (const [args, problem] of [
      [["--agent", "eve"], "is another agent than the one LLM_MAILBOX_TOKEN was issued for"],
      [["--namespace", "other"], "is another namespace than the one LLM_MAILBOX_TOKEN was issued in"],
    ] as const) {
      const ended = await run(env, "stdio", ...args);
      expect([ended.status, ended.err]).toEqual([2, expect.stringContaining(problem)]);
    }
  });

  it("lets nobody go on who named itself, from a second after the first token on", async () => {
    const namespace = unique("fresh");
    const client = await overStdio("2026-07-28", { LLM_MAILBOX_NAMESPACE: namespace }, "--agent", "alice");
    expect((await client.call("my_status")).text).toContain(`you are alice (unverified) in ${namespace}`);
    const told = await run({}, "agents", "issue", "bob", "--namespace", namespace);
    expect(told.err).toContain("This is the first token here");
    expect(told.out).toMatch(/^lmt_\S+\n$/);
    await expect
      .poll(async () => (await client.call("my_status")).text, { timeout: 1_000, interval: 50 })
      .toMatch(/^auth\.required: a name alone is not believed: this namespace has tokens/);
  });

  it("believes no name on a store of somebody's own, unless a setting says so", async () => {
    const store = await startStore("embedded");
    const env = { REDIS_URL: store.url };
    const refused = await run(env, "stdio", "--agent", "alice");
    expect([refused.status, refused.err]).toEqual([
      2,
      expect.stringMatching(/auth\.required: .*LLM_MAILBOX_ALLOW_UNVERIFIED/),
    ]);
    const allowed = { ...env, LLM_MAILBOX_ALLOW_UNVERIFIED: "1" };
    const named = await overStdio("2026-07-28", allowed, "--agent", "alice");
    expect((await named.call("my_status")).text).toContain("you are alice (unverified)");
    const { out } = await run(env, "agents", "issue", "bob");
    const proved = await overStdio("2026-07-28", { ...env, LLM_MAILBOX_TOKEN: out.trim() });
    expect((await proved.call("my_status")).text).toContain("you are bob in default");
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await store.stop();
  });
});

const mcp = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
});
const post = (path: string, headers: Record<string, string>, body = initialize): Promise<Response> =>
  fetch(`${url}${path}`, { method: "POST", headers: { ...mcp, ...headers }, body });

async function openSession(token: string): Promise<Record<string, string>> {
  const answer = await post("/mcp", bearer(token));
  expect(answer.status).toBe(200);
  await answer.text();
  return { ...bearer(token), "mcp-session-id": answer.headers.get("mcp-session-id")! };
}

const status = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "my_status", arguments: {} },
});

describe("HTTP", () => {
  it("answers 401 without a credential, and says where to find out about them", async () => {
    await issue(unique("first"));
    for (const path of ["/mcp", "/mcp?agent=alice"])
      for (const method of ["POST", "GET", "DELETE"]) {
        const answer = await fetch(`${url}${path}`, {
          method,
          headers: mcp,
          ...(method === "POST" && { body: initialize }),
        });
        expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([
          401,
          `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`,
        ]);
        expect(await answer.text()).toContain("auth.required");
      }
    for (const path of ["", "/mcp"]) {
      const answer = await fetch(`${url}/.well-known/oauth-protected-resource${path}`);
      expect([answer.status, await answer.json()]).toEqual([
        200,
        {
          resource: `${url}/mcp`,
          authorization_servers: [issuer.issuer],
          bearer_methods_supported: ["header"],
          resource_name: "LLM Mailbox",
        },
      ]);
    }
  });

  it("answers 401 alike to whatever proves nothing", async () => {
    const seen = new Set<string>();
    const attempts = [
      ...(await faulty()).map(([, one]) => `Bearer ${one}`),
      "Basic YWxpY2U6eA==",
      "Bearer",
      "Bearer  a b",
    ];
    for (const authorization of attempts) {
      const answer = await post("/mcp", { authorization });
      seen.add(JSON.stringify([answer.status, answer.headers.get("www-authenticate"), await answer.text()]));
    }
    expect([...seen].length).toBe(1);
    expect([...seen][0]).toMatch(
      /^\[401,"Bearer error=\\"invalid_token\\", resource_metadata=.*auth\.invalid/,
    );
  });

  it("takes no credential from the address, and no other name than the credential's", async () => {
    const agent = unique("alice");
    const { token } = await issue(agent);
    for (const word of ["token", "access_token", "Bearer", "api_key", "authorization", "key", "t"])
      for (const headers of [{}, bearer(token)]) {
        const answer = await post(`/mcp?${word}=${token}`, headers);
        const text = await answer.text();
        expect([answer.status, text]).toEqual([400, expect.stringContaining("ends up in logs")]);
        expect(text).not.toContain(token);
      }
    expect((await post(`/mcp?agent=${agent}`, bearer(token))).status).toBe(200);
    expect((await post("/mcp?agent=eve", bearer(token))).status).toBe(403);
  });

  it("leaves a row for who brings no credential, another's name or another's session, and none of what they sent", async () => {
    const [agent, thief] = [unique("alice"), unique("thief")];
    const [owner, other] = [await issue(agent), await issue(thief)];
    const session = await openSession(owner.token);
    const rowsOf = async (): Promise<readonly string[]> => {
      const query = ["audit", "query", "--action", "auth.*", "--limit", "1000"];
      const rows = await json<Record<string, string>[]>(...query);
      return rows.map((row) => [row.agent, row.action, row.outcome, row.because].join(" "));
    };
    const nobodys = (rows: readonly string[]): number =>
      rows.filter((row) => row === " auth.prove deny auth.required").length;
    const before = nobodys(await rowsOf());
    expect((await post("/mcp", {})).status).toBe(401);
    expect((await post(`/mcp?agent=${agent}`, bearer(other.token))).status).toBe(403);
    const strange = { ...session, ...bearer(other.token) };
    expect((await post("/mcp", strange, status)).status).toBe(404);
    expect((await post("/mcp", { ...strange, "mcp-session-id": "none" }, status)).status).toBe(404);
    expect((await post("/sse/messages?session=none", bearer(other.token), status)).status).toBe(404);
    const rows = await rowsOf();
    expect(nobodys(rows)).toBe(before + 1);
    expect(rows.filter((row) => row.startsWith(thief)).toSorted()).toEqual([
      `${thief} auth.prove refuse input.invalid`,
      ...Array.from({ length: 3 }, () => `${thief} auth.session refuse input.invalid`),
    ]);
  });

  it("has no session for anybody but the credential that opened it, nor for none", async () => {
    const agent = unique("alice");
    const [first, second, other] = [await issue(agent), await issue(agent), await issue(unique("bob"))];
    const session = await openSession(first.token);
    const own = await post("/mcp", session, status);
    expect([own.status, await own.text()]).toEqual([200, expect.stringContaining(`you are ${agent}`)]);
    const jwt = await issuer.sign({ sub: agent });
    for (const credential of [second.token, other.token, jwt]) {
      const headers = { ...session, ...bearer(credential) };
      expect((await post("/mcp", headers, status)).status).toBe(404);
      for (const method of ["GET", "DELETE"])
        expect((await fetch(`${url}/mcp`, { method, headers: { ...mcp, ...headers } })).status).toBe(404);
    }
    const { authorization: _, ...nameless } = session;
    expect((await post("/mcp", nameless, status)).status).toBe(401);
    expect((await post("/mcp", session, status)).status).toBe(200);
  });

  it.each(["revocation", "expiry"])(
    "closes the streams and the session of a token within a second of its %s",
    async (how) => {
      const issued = await issue(unique("alice"), ...(how === "expiry" ? ["--expires", "4s"] : []));
      const bystander = await issue(unique("bob"));
      const session = await openSession(issued.token);
      const stream = await fetch(`${url}/mcp`, { headers: { ...session, accept: "text/event-stream" } });
      const stays = await fetch(`${url}/mcp`, {
        headers: { ...(await openSession(bystander.token)), accept: "text/event-stream" },
      });
      const listening = await post(
        "/mcp",
        {
          ...bearer(issued.token),
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "subscriptions/listen",
        },
        JSON.stringify(listenRequest(5, ["mailbox://inbox"])),
      );
      expect([stream.status, listening.status, stays.status]).toEqual([200, 200, 200]);
      const closed = Promise.all([drained(stream), drained(listening)]);
      let from = Date.now();
      if (how === "revocation") {
        await revoke(issued.id);
        from = Date.now();
      } else {
        const [token] = await json<{ id: string; expires_at: string }[]>("agents", "tokens").then((all) =>
          all.filter(({ id }) => id === issued.id),
        );
        from = Date.parse(token!.expires_at);
      }
      await closed;
      expect(Date.now() - from).toBeLessThan(1_000);
      expect((await post("/mcp", session, status)).status).toBe(401);
      let ended = false;
      void drained(stays).then(() => {
        ended = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(ended).toBe(false);
      await stays.body?.cancel().catch(() => undefined);
    },
  );

  it("ends subscriptions on stdio with the refusal that calls get, and refuses new ones with it", async () => {
    const [alice, other] = [unique("alice"), unique("bob")];
    const [issued, stays] = [await issue(alice), await issue(other)];
    const frames: { id?: string; method?: string; error?: { message: string; data: object } }[] = [];
    const listenOn = (token: string): ((id: string, uris: readonly string[]) => void) => {
      const child = start({ LLM_MAILBOX_TOKEN: token }, "stdio");
      createInterface(child.stdout!).on("line", (line) => frames.push(JSON.parse(line)));
      return (id, uris) => child.stdin!.write(`${JSON.stringify(listenRequest(id, uris))}\n`);
    };
    const [listen, listenToo] = [listenOn(issued.token), listenOn(stays.token)];
    const acknowledged = (): number => frames.filter(({ method }) => method?.endsWith("acknowledged")).length;
    listen("one", ["mailbox://inbox"]);
    await expect.poll(acknowledged, { timeout: 20_000 }).toBe(1);
    listen("two", ["mailbox://topics", "mailbox://agents"]);
    listenToo("three", ["mailbox://inbox"]);
    await expect.poll(acknowledged, { timeout: 20_000 }).toBe(3);
    await json("agents", "stop", alice, "--reason", "a test");
    const errors = (): readonly string[] =>
      frames.flatMap(({ id, error }) => (error ? [`${id} ${error.message.split(":")[0]}`] : []));
    await expect.poll(errors, { timeout: 2_000 }).toEqual(["one access.stopped", "two access.stopped"]);
    listen("again", ["mailbox://inbox"]);
    await expect.poll(errors).toContain("again access.stopped");
    await json("agents", "resume", alice);
    await expect
      .poll(
        async () => {
          const before = acknowledged();
          listen(`resumed-${before}-${frames.length}`, ["mailbox://inbox"]);
          await new Promise((resolve) => setTimeout(resolve, 300));
          return acknowledged() - before;
        },
        { timeout: 5_000 },
      )
      .toBe(1);
    const before = errors().length;
    const from = Date.now();
    await revoke(issued.id);
    await expect
      .poll(() => errors().slice(before), { timeout: 2_000 })
      .toMatchObject([expect.stringMatching(/^resumed-.* auth\.invalid$/)]);
    expect(Date.now() - from).toBeLessThan(2_000);
    listen("last", ["mailbox://inbox"]);
    await expect.poll(errors).toContain("last auth.invalid");
    const last = frames.find(({ id }) => id === "last")!.error!;
    expect(last).toMatchObject({ code: -32000, data: { code: "auth.invalid" } });
    expect(frames.filter(({ id }) => id === "three")).toEqual([]);
    expect(new Set(errors()).size).toBe(errors().length);
  });

  it("closes what a JWT opened when it expires", async () => {
    const jwt = await issuer.sign({ sub: unique("carol") }, { expires: 3 });
    const from = Date.now();
    const session = await openSession(jwt);
    const stream = await fetch(`${url}/mcp`, { headers: { ...session, accept: "text/event-stream" } });
    await drained(stream);
    expect(Date.now() - from).toBeLessThan(4_000);
    expect((await post("/mcp", session, status)).status).toBe(401);
  });

  it("gives back what the ended run of a second namespace had open", async () => {
    const tenant = unique("tenant");
    const token = async (agent: string): Promise<Issued> =>
      json<Issued>("agents", "issue", agent, "--namespace", tenant);
    const [first, second, sender] = [await token("worker"), await token("worker"), await token("sender")];
    const [w, s] = [await overHttp("2025-11-25", first.token), await overHttp("2026-07-28", sender.token)];
    await s.call("send_message", { to: "queue:jobs", body: "a job" });
    expect((await w.call("read_inbox", { mailbox: "queue:jobs" })).text).toContain("a job");
    await json("agents", "revoke", first.id, "--namespace", tenant);
    const again = await overHttp("2025-11-25", second.token);
    expect((await again.call("read_inbox", { mailbox: "queue:jobs", wait_seconds: 30 })).text).toMatch(
      /delivery 2(.*\n)*a job/,
    );
  });

  it("listens for other machines only where a credential is asked for, and answers only by the names allowed", async () => {
    const namespace = unique("open");
    const env = { LLM_MAILBOX_NAMESPACE: namespace };
    const refused = await run(env, "serve", "--host", "0.0.0.0", "--port", "0");
    expect([refused.status, refused.err]).toEqual([
      2,
      expect.stringContaining("--host is not a loopback address"),
    ]);
    const { token } = await json<Issued>("agents", "issue", "alice", "--namespace", namespace);
    const settings = {
      ...env,
      LLM_MAILBOX_ALLOWED_HOSTS: "mail.example",
      LLM_MAILBOX_ALLOWED_ORIGINS: "https://app.example",
    };
    const at = await serve(settings, "--host", "0.0.0.0");
    const address = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === "IPv4" && !one.internal)?.address;
    const port = Number(new URL(at).port);
    const ask = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const asked = request({
          host: address ?? "127.0.0.1",
          port,
          path: "/mcp",
          method: "POST",
          headers: { ...mcp, ...headers },
        });
        asked.on("response", (answer) => resolve(answer.resume().statusCode!)).on("error", reject);
        asked.end(initialize);
      });
    expect(await ask({ host: "mail.example", ...bearer(token) })).toBe(200);
    expect(await ask({ host: `mail.example:${port}`, ...bearer(token), origin: "https://app.example" })).toBe(
      200,
    );
    expect(await ask({ host: "mail.example" })).toBe(401);
    expect(await ask({ host: "evil.example", ...bearer(token) })).toBe(403);
    expect(await ask({ host: "10.9.8.7", ...bearer(token) })).toBe(403);
    expect(await ask({ host: "mail.example", ...bearer(token), origin: "https://evil.example" })).toBe(403);

    // What a browser asks before it lets a page send; only pages of the allowed origin are told that they may.
    const preflight = (origin: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/mcp`, { method: "OPTIONS", headers: { origin } });
    const may = await preflight("https://app.example");
    expect([may.status, may.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    expect(may.headers.get("access-control-allow-headers")).toContain("authorization");
    for (const origin of ["http://localhost:3000", "https://evil.example"])
      expect((await preflight(origin)).headers.get("access-control-allow-origin")).toBeNull();
    const headers = { ...mcp, ...bearer(token), origin: "https://app.example" };
    const answer = await fetch(`http://127.0.0.1:${port}/mcp`, { method: "POST", headers, body: initialize });
    expect([answer.status, answer.headers.get("access-control-expose-headers")]).toEqual([
      200,
      expect.stringContaining("mcp-session-id"),
    ]);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
  });

  it("closes the stream of a client that named itself within a second of the first token", async () => {
    const namespace = unique("fresh");
    const at = await serve({ LLM_MAILBOX_NAMESPACE: namespace });
    const send = (headers: Record<string, string>, body: string): Promise<Response> =>
      fetch(`${at}/mcp?agent=alice`, { method: "POST", headers: { ...mcp, ...headers }, body });
    const opened = await send({}, initialize);
    const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
    expect(await (await send(session, status)).text()).toContain("you are alice (unverified)");
    const stream = await fetch(`${at}/mcp?agent=alice`, {
      headers: { ...session, accept: "text/event-stream" },
    });
    expect(stream.status).toBe(200);
    await json("agents", "issue", "bob", "--namespace", namespace);
    const from = Date.now();
    await drained(stream);
    expect(Date.now() - from).toBeLessThan(1_000);
    expect((await send(session, status)).status).toBe(401);
  });
});

/** Resolves when the body has ended, however it did. */
async function drained(response: Response): Promise<void> {
  const reader = response.body!.getReader();
  for (;;) if ((await reader.read().catch(() => ({ done: true }))).done) return;
}

describe("a secret", () => {
  it("is found nowhere in clear: not in the store's files, logs, refusals, lists or what the machine shows of a process", async () => {
    const secrets: string[] = [];
    const shown: string[] = [];
    const plant = (secret: string): string => {
      secrets.push(secret);
      return secret;
    };
    // Tokens: used over both transports, wrong in one way or another, rotated, revoked, recovered.
    const agents = Array.from({ length: 4 }, (_, n) => unique(`planted${n}`));
    const tokens = await Promise.all(agents.map((agent) => issue(agent, "--note", "planted")));
    for (const { token } of tokens) plant(token);
    for (const [n, era] of eras.entries()) {
      const remote = await overHttp(era, tokens[n]!.token);
      const local = await overStdio(era, { LLM_MAILBOX_TOKEN: tokens[n]!.token });
      await remote.call("send_message", { to: agents[n + 2]!, body: "hello" });
      shown.push(
        (await local.call("my_status")).text,
        (await local.call("search_messages", { sent: true })).text,
      );
    }
    const next = await json<Issued>("agents", "rotate", tokens[0]!.token);
    const recovered = await json<Issued>("agents", "recover", agents[1]!);
    plant(next.token);
    plant(recovered.token);
    await revoke(tokens[2]!.token);
    const wrong = Array.from({ length: 8 }, () => plant(mintToken("default").text));
    for (const [n, token] of wrong.entries()) {
      const answer = await post("/mcp", bearer(token));
      shown.push(await answer.text(), JSON.stringify([...answer.headers]));
      shown.push(await (await post(`/mcp?token=${plant(mintToken("default").text)}`, {})).text());
      if (n < 2) shown.push((await run({}, "agents", n ? "rotate" : "revoke", token)).err);
    }
    // JWTs, right and wrong.
    const jwts = await Promise.all(
      Array.from({ length: 6 }, (_, n) => issuer.sign({ sub: n < 3 ? unique("jwt") : "Nobody At All" })),
    );
    for (const jwt of jwts) shown.push(await (await post("/mcp", bearer(plant(jwt)))).text());
    for (const jwt of jwts.slice(2, 4))
      shown.push((await run({ ...jwtSettings, LLM_MAILBOX_TOKEN: `${jwt}x` }, "stdio")).err);
    // Passwords of a Redis, in addresses right and wrong.
    const forms = [
      "redis://:%@127.0.0.1:1",
      "redis://user:%@127.0.0.1:1",
      "redis://:a@%@127.0.0.1:1",
      "redis://:%@[x",
      "rediss://:%@127.0.0.1:1?password=%",
      "redis+cluster://:%@127.0.0.1:1",
      "other://:%@127.0.0.1",
    ];
    const ended = await Promise.all(
      forms.flatMap((form) => {
        const address = form.replaceAll("%", plant(`pw${randomBytes(12).toString("hex")}`));
        return [
          run({ REDIS_URL: address }, "stdio", "--agent", "a"),
          runWith({ ...base, LLM_MAILBOX_LOG_LEVEL: "silent", REDIS_URL: address }, "doctor"),
        ];
      }),
    );
    for (const { status: code, out, err } of ended) {
      expect(code).toBeGreaterThan(0);
      shown.push(out, err);
    }
    const password = plant(`pw${randomBytes(12).toString("hex")}`);
    const child = start({}, "agents", "--redis-url", `redis://:${password}@127.0.0.1:1`);
    await expect
      .poll(() => readFileSync(`/proc/${child.pid}/cmdline`, "utf8"))
      .toMatch(/^llm-mailbox agents/);
    shown.push(readFileSync(`/proc/${child.pid}/cmdline`, "utf8"));
    await once(child, "exit");

    const lists = [["agents"], ["agents", "tokens"], ["doctor"], ["agents", "tokens", "--json"]];
    for (const args of lists) shown.push(...Object.values(await run({}, ...args)).map(String));
    for (const path of ["/healthz", "/readyz", "/metrics"])
      shown.push(await (await fetch(`${url}${path}`)).text());

    expect(secrets.length).toBeGreaterThanOrEqual(32);
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".token"))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(files.join("").length).toBeGreaterThan(10_000);
    expect(files.join("")).toContain(tokens[0]!.id);
    expect(logged.length).toBeGreaterThan(1_000);
    const everything = [...files, ...shown, logged].join("\n");
    for (const secret of secrets) {
      // Of a token and a JWT, not even the part that proves something.
      for (const part of secret.startsWith("lmt_") ? [secret.slice(-43)] : secret.split(".").slice(-1))
        expect(everything.includes(part)).toBe(false);
    }
  }, 120_000);

  it("of the process that starts a local engine is not left with the engine", async () => {
    const secret = mintToken("default").text;
    const own = join(dataDir, "own");
    const ended = await run(
      { LLM_MAILBOX_DATA_DIR: own, LLM_MAILBOX_TOKEN: secret },
      "queues",
      "create",
      "q",
    );
    expect(ended.status).toBe(0);
    const { running } = await inspectEngine(own, "auto");
    const environment = readFileSync(`/proc/${running!.supervisor}/environ`, "utf8");
    expect(environment).toContain(`LLM_MAILBOX_DATA_DIR=${own}`);
    expect(environment).not.toContain(secret);
  });
});
