import { Server } from "@modelcontextprotocol/server";
import type { Action } from "../../src/identity/index.js";
import { Connection } from "../../src/mcp/connection.js";
import { createServer } from "../../src/mcp/create-server.js";
import { newExchange } from "../../src/mcp/exchange.js";
import { memoryRooms } from "./memory-rooms.js";

const silent = (): void => undefined;
export const noLog = { debug: silent, info: silent, warn: silent, error: silent };

export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: {
    readonly type: string;
    readonly properties: Record<string, Record<string, unknown>>;
  };
  readonly outputSchema?: object;
  readonly annotations: Record<string, unknown>;
}

/** `tools/list` as the server of a connection answers it. */
export async function listedTools({
  structured = false,
  mayUse = (_: Action): boolean => true,
} = {}): Promise<ListedTool[]> {
  const connection = new Connection(
    memoryRooms({ mayUse }),
    { namespace: "n", version: "0", log: noLog },
    { session: true },
  );
  const server = createServer({
    connection,
    structured,
    exchangeOf: () => newExchange(new AbortController().signal),
  });
  if (!(server instanceof Server)) throw new Error("not a server");
  const { Client } = await import("@modelcontextprotocol/client");
  const { InMemoryTransport } = await import("@modelcontextprotocol/server");
  const [here, there] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "test", version: "0" });
  await server.connect(here);
  await client.connect(there as never);
  const { tools } = await client.listTools();
  await client.close();
  return tools as unknown as ListedTool[];
}
