import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { durable, launchDurable } from "./redis-server.js";
import { type Medium, storeOfProcess, type TestStore } from "./test-store.js";

/** A cluster of one node that owns all slots: it refuses what crosses slots, which the other stores let pass. */
export function startCluster(medium: Medium = "memory"): Promise<TestStore> {
  return storeOfProcess(
    "redis-cluster",
    async (dataDir) => {
      const [port, busPort] = await freePorts(2);
      const args = [
        ...["--port", String(port), "--bind", "127.0.0.1", "--loglevel", "notice", ...durable(dataDir)],
        ...[
          "--cluster-enabled",
          "yes",
          "--cluster-port",
          String(busPort),
          "--cluster-announce-ip",
          "127.0.0.1",
        ],
      ];
      return {
        url: `redis+cluster://127.0.0.1:${port}`,
        launch: async (): Promise<ChildProcess> => {
          const child = await launchDurable(dataDir, args);
          await untilServing(port!);
          return child;
        },
      };
    },
    medium,
  );
}

/** Gives the node all slots if it has none yet, and waits until it says the cluster is whole. */
async function untilServing(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  await once(socket, "connect");
  const ask = async (command: string): Promise<string> => {
    socket.write(`${command}\r\n`);
    return String((await once(socket, "data"))[0]);
  };
  if (/cluster_slots_assigned:0\r/.test(await ask("CLUSTER INFO"))) {
    const reply = await ask("CLUSTER ADDSLOTSRANGE 0 16383");
    if (!reply.startsWith("+OK")) throw new Error(`the slots could not be assigned: ${reply}`);
  }
  while (!/cluster_state:ok/.test(await ask("CLUSTER INFO")))
    await new Promise((resolve) => setTimeout(resolve, 20));
  socket.destroy();
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
