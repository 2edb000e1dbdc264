import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { main } from "../cli/command-line.js";
import { describeBeside, startStore, type TestStore } from "../stores/index.js";
import { newNamespace } from "../stores/new-namespace.js";
import { connectStdio, eras, type TestClient } from "./clients.js";

/** A relay opens a new session where the server was restarted, and its client notices nothing: so it has to be told. */
describeBeside("a client behind a relay", eras, (era) => {
  let store: TestStore;
  const clients: TestClient[] = [];
  let server: ChildProcess | undefined;
  beforeAll(async () => {
    store = await startStore("embedded");
    return () => store.stop();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    server?.kill("SIGTERM");
    server = undefined;
  });

  async function serve(port: number, namespace: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [main, "serve", "--port", String(port)], {
      stdio: "ignore",
      env: {
        PATH: process.env.PATH!,
        HOME: process.env.HOME!,
        REDIS_URL: store.url,
        LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
        LLM_MAILBOX_NAMESPACE: namespace,
      },
    });
    await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/`), { timeout: 15_000, interval: 50 });
    return child;
  }

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "is told once what it lost when the server was ended by %s and started again",
    { timeout: 60_000 },
    async (signal) => {
      const port = await freePort();
      const namespace = newNamespace();
      server = await serve(port, namespace);
      const connect = async (agent: string): Promise<TestClient> => {
        const client = await connectStdio(era, {
          command: process.execPath,
          args: [main, "stdio", "--server", `http://127.0.0.1:${port}`, "--agent", agent],
          env: { PATH: process.env.PATH!, HOME: process.env.HOME! },
        });
        clients.push(client);
        return client;
      };
      const [bob, carol] = [await connect("bob"), await connect("carol")];
      const held = idIn((await bob.call("acquire_lock", { resources: ["h"] })).text);
      const ticket = idIn((await carol.call("acquire_lock", { resources: ["h"] })).text);
      server.kill(signal);
      await once(server, "exit");
      server = await serve(port, namespace);

      const bobs = `lock: ${held} ("h") is lost, which an earlier run of yours held`;
      const carols = `lock: the place in line of ${ticket} ("h") is lost, which an earlier run of yours had`;
      expect(await repliesUntil(bob, bobs)).toBe(1);
      expect(await repliesUntil(carol, carols)).toBe(1);
    },
  );
});

/** In how many replies of a client a line stands, from now until some replies after the first of them. */
async function repliesUntil(client: TestClient, line: string): Promise<number> {
  const replies: string[] = [];
  const times = (): number => replies.filter((text) => text.includes(line)).length;
  await vi.waitFor(
    async () => {
      replies.push((await client.call("list_locks")).text);
      expect(replies.at(-1)).toContain(line);
    },
    { timeout: 20_000, interval: 100 },
  );
  for (let more = 0; more < 3; more++) replies.push((await client.call("my_status")).text);
  return times();
}

function idIn(text: string): string {
  return /lk-[0-9a-z]{12}/.exec(text)![0];
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
