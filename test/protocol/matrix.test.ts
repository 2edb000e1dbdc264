import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../cli/command-line.js";
import { cases, type Desk, type Named, unique } from "./cases.js";
import { type Speaker, speakers, type TestClient, type Way } from "./clients.js";

/** The executable as it is built, on one store, reached in every way by every client. */
const dataDir = mkdtempSync(join(tmpdir(), "mailbox-matrix-"));
const base = { PATH: process.env.PATH!, LLM_MAILBOX_LOG_LEVEL: "error" };
const ownStore = { ...base, LLM_MAILBOX_DATA_DIR: dataDir, LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2" };

let server: ChildProcess;
let url = "";

interface Asked {
  readonly agent: string;
  readonly structured?: boolean;
}

/** The ways to reach the product; a way that only some clients know names them. */
const ways: Readonly<
  Record<string, { readonly to: (asked: Asked) => Way; readonly only?: readonly Speaker[] }>
> = {
  stdio: { to: (asked) => started(asked, [], ownStore) },
  "a stdio relay": { to: (asked) => started(asked, ["--server", url], base) },
  "Streamable HTTP": {
    to: ({ agent, structured }) => ({
      over: "http",
      url: `${url}/mcp?agent=${agent}${structured ? "&structured=1" : ""}`,
    }),
  },
};

function started({ agent, structured }: Asked, more: readonly string[], env: Record<string, string>): Way {
  const args = [main, "stdio", "--agent", agent, ...more];
  const asked: Record<string, string> = structured ? { LLM_MAILBOX_STRUCTURED: "1" } : {};
  return { over: "stdio", spawn: { command: process.execPath, args, env: { ...env, ...asked } } };
}

const combinations = Object.entries(ways).flatMap(([way, { to, only }]) =>
  (only ?? (Object.keys(speakers) as Speaker[])).map((speaker) => ({ way, to, speaker })),
);
const clients: TestClient[] = [];
const waits = new Map<string, Desk["waited"]>();

async function connect(speaker: Speaker, to: (asked: Asked) => Way, name: string, more = {}): Promise<Named> {
  const agent = unique(name);
  const client = await speakers[speaker](to({ agent, ...more }));
  clients.push(client);
  return { ...client, agent };
}

async function waitInVain(client: TestClient): Promise<Awaited<Desk["waited"]>> {
  const progress: Awaited<Desk["waited"]>["progress"][number][] = [];
  const { text } = await client.call(
    "read_inbox",
    { wait_seconds: 11 },
    { onprogress: (told) => progress.push(told) },
  );
  return { progress, text };
}

beforeAll(async () => {
  server = spawn(process.execPath, [main, "serve", "--port", "0"], {
    env: ownStore,
    stdio: ["ignore", "ignore", "pipe"],
  });
  url = await new Promise<string>((resolve, reject) => {
    let told = "";
    server.stderr!.on("data", (chunk) => {
      told += String(chunk);
      const found = told.match(/(http:\/\/\S+)\/mcp/);
      if (found) resolve(found[1]!);
    });
    server.once("exit", () => reject(new Error(`the server did not start: ${told}`)));
  });
  // Progress comes after 10 s: all combinations wait for it at the same time, and beside the other cases.
  for (const { way, speaker, to } of combinations) {
    const waited = waitInVain(await connect(speaker, to, "patient"));
    waited.catch(() => undefined); // it is looked at in its case
    waits.set(`${way} ${speaker}`, waited);
  }
}, 120_000);

afterAll(async () => {
  await Promise.allSettled(clients.map((client) => client.close()));
  const exit = once(server, "exit");
  server.kill("SIGTERM");
  await exit;
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

describe.each(combinations.map((one) => [`${one.speaker} over ${one.way}`, one] as const))("%s", (_, one) => {
  const { way, speaker, to } = one;
  let desk: Desk;
  beforeAll(async () => {
    const [anna, bert] = await Promise.all([connect(speaker, to, "anna"), connect(speaker, to, "bert")]);
    // Both have been seen before anybody writes to them.
    await Promise.all([anna.call("my_status"), bert.call("my_status")]);
    desk = {
      anna,
      bert,
      structured: () => connect(speaker, to, "precise", { structured: true }),
      waited: waits.get(`${way} ${speaker}`)!,
    };
  });
  afterAll(() => Promise.all([desk.anna.close(), desk.bert.close()]));

  it("speaks the revision it was told to speak", () => {
    const older = speaker === "sdk 1.32.2" || speaker.endsWith("2025-11-25");
    expect(desk.anna.era).toBe(older ? "2025-11-25" : "2026-07-28");
  });

  for (const { name, run } of cases) it(name, () => run(desk));
});
