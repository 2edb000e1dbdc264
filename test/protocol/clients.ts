import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OlderStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OlderHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

/** The two generations of the protocol, each spoken by a client of its own SDK. */
export const eras = ["2025-11-25", "2026-07-28"] as const;
export type Era = (typeof eras)[number];

export interface Reply {
  readonly text: string;
  readonly blocks: readonly string[];
  readonly isError: boolean;
  readonly structured: Record<string, unknown> | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: {
    progress: number;
    total?: number | undefined;
    message?: string | undefined;
  }) => void;
}

/** What the tests do with a client, the same in both eras. */
export interface TestClient {
  readonly era: Era;
  readonly raw: OlderClient | ModernClient;
  call(tool: string, input?: Record<string, unknown>, options?: CallOptions): Promise<Reply>;
  /** Calls back for each update of the URI, until the answer is called. */
  follow(uris: readonly string[], onUpdate: (uri: string) => void): Promise<() => Promise<void>>;
  read(uri: string): Promise<string>;
  close(): Promise<void>;
}

interface Spawn {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
}

/** How a client reaches its server. */
export type Way =
  | { readonly over: "stdio"; readonly spawn: Spawn }
  | { readonly over: "http"; readonly url: string; readonly headers?: Record<string, string> };

/** The clients there are, by the name of their SDK and the revision they were told to speak. */
export const speakers = {
  "sdk 1.32.2": (way: Way, name?: string) => older(olderWay(way), name),
  "client 2.4.0, automatic": (way: Way, name?: string) => modern(modernWay(way), "auto", name),
  "client 2.4.0 at 2025-11-25": (way: Way, name?: string) => modern(modernWay(way), "legacy", name),
  "client 2.4.0 at 2026-07-28": (way: Way, name?: string) =>
    modern(modernWay(way), { pin: "2026-07-28" }, name),
} as const satisfies Record<string, (way: Way, name?: string) => Promise<TestClient>>;

export type Speaker = keyof typeof speakers;

export async function connectStdio(era: Era, spawn: Spawn, name?: string): Promise<TestClient> {
  return speakers[speakerOf(era)]({ over: "stdio", spawn }, name);
}

export async function connectHttp(
  era: Era,
  url: string,
  name?: string,
  headers: Record<string, string> = {},
): Promise<TestClient> {
  return speakers[speakerOf(era)]({ over: "http", url, headers }, name);
}

function speakerOf(era: Era): Speaker {
  return era === "2025-11-25" ? "sdk 1.32.2" : "client 2.4.0, automatic";
}

function olderWay(way: Way): OlderStdio | OlderHttp {
  return way.over === "stdio"
    ? new OlderStdio(quiet(way.spawn))
    : new OlderHttp(new URL(way.url), withHeaders(way));
}

function modernWay(way: Way): ModernStdio | ModernHttp {
  return way.over === "stdio"
    ? new ModernStdio(quiet(way.spawn))
    : new ModernHttp(new URL(way.url), withHeaders(way));
}

function withHeaders({ headers = {} }: Extract<Way, { over: "http" }>): { requestInit: RequestInit } {
  return { requestInit: { headers } };
}

function quiet(spawn: Spawn): {
  command: string;
  args: string[];
  env?: Record<string, string>;
  stderr: "ignore";
} {
  return { ...spawn, args: [...spawn.args], stderr: "ignore" };
}

async function older(transport: OlderStdio | OlderHttp, name = "Test Client"): Promise<TestClient> {
  const client = new OlderClient({ name, version: "1.0.0" });
  await client.connect(transport as OlderStdio);
  const followers = new Set<(uri: string) => void>();
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
    for (const follower of followers) follower(params.uri);
  });
  return {
    era: "2025-11-25",
    raw: client,
    call: async (tool, input = {}, options = {}) =>
      reply(await client.callTool({ name: tool, arguments: input }, undefined, options as object)),
    follow: async (uris, onUpdate) => {
      followers.add(onUpdate);
      for (const uri of uris) await client.subscribeResource({ uri });
      return async () => {
        for (const uri of uris) await client.unsubscribeResource({ uri });
        followers.delete(onUpdate);
      };
    },
    read: async (uri) => text((await client.readResource({ uri })).contents),
    close: async () => {
      if (transport instanceof OlderHttp) await transport.terminateSession();
      await client.close();
    },
  };
}

async function modern(
  transport: ModernStdio | ModernHttp,
  mode: "auto" | "legacy" | { pin: string },
  name = "Test Client",
): Promise<TestClient> {
  const client = new ModernClient({ name, version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  const era: Era = client.getNegotiatedProtocolVersion() === "2026-07-28" ? "2026-07-28" : "2025-11-25";
  const followers = new Set<(uri: string) => void>();
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    for (const follower of followers) follower(params.uri);
  });
  return {
    era,
    raw: client,
    call: async (tool, input = {}, options = {}) =>
      reply(await client.callTool({ name: tool, arguments: input }, options as object)),
    follow: async (uris, onUpdate) => {
      followers.add(onUpdate);
      if (era === "2026-07-28") {
        const subscription = await client.listen({ resourceSubscriptions: [...uris] });
        return async () => {
          await subscription.close();
          followers.delete(onUpdate);
        };
      }
      for (const uri of uris) await client.subscribeResource({ uri });
      return async () => {
        for (const uri of uris) await client.unsubscribeResource({ uri });
        followers.delete(onUpdate);
      };
    },
    read: async (uri) => text((await client.readResource({ uri })).contents),
    close: async () => {
      if (transport instanceof ModernHttp) await transport.terminateSession();
      await client.close();
    },
  };
}

function text(contents: readonly object[]): string {
  return contents.map((one) => ("text" in one ? String(one.text) : "")).join("\n");
}

function reply(result: object): Reply {
  const { content, isError, structuredContent } = result as {
    content: readonly { type: string; text: string }[];
    isError?: boolean;
    structuredContent?: Record<string, unknown>;
  };
  const blocks = content.map((block) => {
    if (block.type !== "text") throw new Error(`a block of type ${block.type}`);
    return block.text;
  });
  return { blocks, text: blocks.join("\n"), isError: isError ?? false, structured: structuredContent };
}
