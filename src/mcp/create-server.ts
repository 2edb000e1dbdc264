import {
  CLIENT_INFO_META_KEY,
  type JsonSchemaType,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { nearest, visible } from "../addresses/index.js";
import type { Principal } from "../identity/index.js";
import { type Calling, callTool } from "./call-tool.js";
import { channelCapability } from "./channel.js";
import type { Connection } from "./connection.js";
import type { AnyTool } from "./define-tool.js";
import type { Exchange } from "./exchange.js";
import { inputSchema, outputSchema } from "./input-schema.js";
import { instructions } from "./instructions.js";
import { checkIn } from "./prompts/check-in.js";
import { handOver } from "./prompts/hand-over.js";
import { asRefusal } from "./refusal.js";
import { resourceList, templateList } from "./resources/list.js";
import { readResource } from "./resources/read.js";
import { parseResource } from "./resources/resource-uri.js";
import type { Rooms } from "./rooms.js";
import { toolbox } from "./toolbox.js";
import { mostWatched, type Watches } from "./watches.js";

/** What a transport provides to the server of one connection. */
export interface Wiring {
  readonly connection: Connection;
  /** Output schemas and structured content beside the text. */
  readonly structured: boolean;
  /** The way the reply to this request takes. */
  exchangeOf(context: ServerContext): Exchange;
  /** The URIs this client watches, where the connection can carry updates to a 2025 client. */
  readonly watches?: Watches;
  /** Declares the channel of Claude Code, an experimental capability; whoever declares it pushes its hints. */
  readonly channel?: boolean;
}

// A server is made for each HTTP request of a modern client: whatever is the same for all is built once.
const tools = new Map(toolbox.map((tool) => [tool.name, tool]));
const prompts = new Map([checkIn, handOver].map((prompt) => [prompt.name, prompt]));
const lists = new Map<string, ReturnType<typeof listTools>>();
const promptList = [...prompts.values()].map(({ text, ...told }) => ({
  ...told,
  arguments: [...told.arguments],
}));
const noValidator = {
  getValidator: () => {
    throw new Error("what clients answer is checked where they are asked, see ask-client.ts");
  },
};

/** The server of one connection, the same for both eras of the protocol. */
export function createServer(wiring: Wiring): Server {
  const { connection, watches } = wiring;
  const server = new Server(
    {
      name: "llm-mailbox",
      title: "LLM Mailbox",
      version: connection.version,
    },
    {
      capabilities: {
        tools: {},
        resources: { subscribe: true },
        prompts: {},
        ...(wiring.channel && { experimental: { [channelCapability]: {} } }),
      },
      instructions,
      // The SDK would build a validator of its own for each server.
      jsonSchemaValidator: noValidator,
    },
  );
  const calling = (context: ServerContext): Calling => ({
    connection,
    structured: wiring.structured,
    clientName: clientName(server, context),
    clientCan: server.getClientCapabilities(),
    exchange: wiring.exchangeOf(context),
    context,
  });
  server.setRequestHandler("tools/list", async (_request, context) => {
    try {
      // Who may use what is asked without a run: clients list tools at their start, before they know what to call.
      const principal = connection.principal(clientName(server, context));
      return listFor(await usableTools(connection.rooms, principal), wiring.structured);
    } catch (error) {
      throw protocolError(connection, error, "tools/list");
    }
  });
  server.setRequestHandler("tools/call", (request, context) => {
    const tool = tools.get(request.params.name);
    if (!tool) throw unknownName("tool", request.params.name, tools.keys());
    return callTool(tool, request.params.arguments ?? {}, calling(context));
  });
  server.setRequestHandler("prompts/list", () => ({ prompts: promptList }));
  server.setRequestHandler("prompts/get", (request) => {
    const prompt = prompts.get(request.params.name);
    if (!prompt) throw unknownName("prompt", request.params.name, prompts.keys());
    const text = inProtocol(connection, prompt.name, () => prompt.text(request.params.arguments ?? {}));
    return { description: prompt.description, messages: [{ role: "user", content: { type: "text", text } }] };
  });
  server.setRequestHandler("resources/list", () => ({ resources: resourceList }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: templateList }));
  server.setRequestHandler("resources/read", async (request, context) => {
    const { uri } = request.params;
    const name = parseResource(uri);
    if (!name) throw new ResourceNotFoundError(visible(uri.slice(0, 200)));
    try {
      const caller = await connection.caller(clientName(server, context));
      return { contents: [{ uri, ...(await readResource(connection.rooms, caller, name)) }] };
    } catch (error) {
      throw protocolError(connection, error, "resources/read");
    }
  });
  server.setRequestHandler("resources/subscribe", async (request, context) => {
    const { uri } = request.params;
    try {
      const caller = await connection.caller(clientName(server, context));
      if (await watches?.add(caller, uri)) return {};
    } catch (error) {
      throw protocolError(connection, error, "resources/subscribe");
    }
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      `this resource cannot be subscribed to; mailbox://inbox, mailbox://topics, mailbox://topics/{topic}, mailbox://locks, mailbox://state/{key} and mailbox://agents can, at most ${mostWatched} of them`,
    );
  });
  server.setRequestHandler("resources/unsubscribe", (request) => {
    watches?.remove(request.params.uri);
    return {};
  });
  server.onerror = (error) => connection.log.debug({ err: error }, "protocol");
  return server;
}

async function usableTools(rooms: Rooms, principal: Principal): Promise<readonly AnyTool[]> {
  const mayUse = await rooms.access.usableBy(principal);
  const isUsable = await Promise.all(
    toolbox.map(({ needs, alsoFor }) => needs.some(mayUse) || (alsoFor?.(rooms, principal) ?? false)),
  );
  return toolbox.filter((_, n) => isUsable[n]);
}

/** The list of these tools, built once for each choice that callers have. */
function listFor(usable: readonly AnyTool[], structured: boolean): ReturnType<typeof listTools> {
  const choice = `${structured} ${usable.map(({ name }) => name).join(" ")}`;
  const known = lists.get(choice) ?? listTools(usable, structured);
  lists.set(choice, known);
  return known;
}

function listTools(usable: readonly AnyTool[], structured: boolean) {
  return {
    tools: usable.map((tool) => ({
      name: tool.name,
      title: tool.title,
      description: tool.description,
      inputSchema: inputSchema(tool.input),
      ...(structured && { outputSchema: outputSchema(tool.output) as JsonSchemaType & { type: "object" } }),
      annotations: tool.annotations,
    })),
  };
}

/** The name the client gave itself: in the request (2026) or when it connected (2025). */
function clientName(server: Server, context: ServerContext): string | undefined {
  const envelope = context.mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  const inEnvelope = envelope?.[CLIENT_INFO_META_KEY] as { readonly name?: string } | undefined;
  return inEnvelope?.name ?? server.getClientVersion()?.name;
}

function unknownName(kind: string, given: string, known: Iterable<string>): ProtocolError {
  const names = [...known];
  const meant = nearest(given, names);
  const hint = meant ? `did you mean ${meant}?` : `there are ${names.join(", ")}`;
  const quoted = JSON.stringify(visible(given.slice(0, 60)));
  return new ProtocolError(ProtocolErrorCode.InvalidParams, `unknown ${kind} ${quoted}; ${hint}`);
}

function inProtocol<T>(connection: Connection, doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw protocolError(connection, error, doing);
  }
}

const callersFault = new Set(["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"]);

/** Outside of tools a refusal is an error of the protocol, with the code in its data. */
function protocolError(connection: Connection, error: unknown, doing: string): ProtocolError {
  const refusal = asRefusal(error, connection.log, doing);
  return new ProtocolError(
    callersFault.has(refusal.kind) ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError,
    refusal.message,
    { code: refusal.code },
  );
}
