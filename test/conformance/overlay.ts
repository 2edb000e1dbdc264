/**
 * Lays the fixtures over every MCP server of the process it is loaded into (`node --import`), which is otherwise the
 * built executable as it is: what a fixture does not answer is answered by the product's own handlers. The product has
 * no door for this; the overlay stands between the SDK's `Server` and the handlers that the product gives to it.
 */
import { Server, type ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { AnyTool } from "../../src/mcp/define-tool.js";
import { promptFixtures, readFixture, resourceFixtures, templateFixtures, toolFixtures } from "./fixtures.js";

interface Request {
  readonly params?: Readonly<Record<string, unknown>>;
}
type Handler = (request: Request, context: ServerContext) => unknown;

/** For each method, what stands before the product's handler. */
const laid: Readonly<Record<string, (own: Handler) => Handler>> = {
  "tools/list": adding("tools", () =>
    Object.entries(toolFixtures).map(([name, { call, ...told }]) => ({ name, ...told })),
  ),
  "tools/call": (own) => (request, context) => {
    const fixture = toolFixtures[String(request.params?.name)];
    return fixture
      ? fixture.call((request.params?.arguments ?? {}) as Record<string, unknown>, context)
      : own(request, context);
  },
  "prompts/list": adding("prompts", () =>
    Object.entries(promptFixtures).map(([name, { get, ...told }]) => ({ name, ...told })),
  ),
  "prompts/get": (own) => (request, context) => {
    const fixture = promptFixtures[String(request.params?.name)];
    return fixture
      ? fixture.get((request.params?.arguments ?? {}) as Record<string, string>, context)
      : own(request, context);
  },
  "resources/list": adding("resources", () => resourceFixtures),
  "resources/templates/list": adding("resourceTemplates", () => templateFixtures),
  "resources/read": (own) => (request, context) =>
    readFixture(String(request.params?.uri)) ?? own(request, context),
  "resources/subscribe": forFixtures(() => ({})),
  "resources/unsubscribe": forFixtures(() => ({})),
};

/** The product's list, and the fixtures after it. */
function adding(key: string, more: () => readonly object[]): (own: Handler) => Handler {
  return (own) => async (request, context) => {
    const listed = (await own(request, context)) as Record<string, readonly object[]>;
    return { ...listed, [key]: [...(listed[key] ?? []), ...more()] };
  };
}

function forFixtures(answer: () => object): (own: Handler) => Handler {
  return (own) => (request, context) =>
    readFixture(String(request.params?.uri)) ? answer() : own(request, context);
}

const { setRequestHandler, connect } = Server.prototype as unknown as {
  setRequestHandler(method: string, ...rest: unknown[]): void;
  connect(transport: unknown): Promise<void>;
};
Object.assign(Server.prototype, {
  setRequestHandler(this: Server, method: string, ...rest: unknown[]): void {
    const lay = laid[method];
    const handlers = lay ? [...rest.slice(0, -1), lay(rest.at(-1) as Handler)] : rest;
    setRequestHandler.call(this, method, ...handlers);
  },
  async connect(this: Server, transport: unknown): Promise<void> {
    // What the product's servers do not offer at all: a log for clients, and completion.
    this.registerCapabilities({ logging: {}, completions: {} });
    this.setRequestHandler("completion/complete", () => ({ completion: { values: [], total: 0 } }));
    await connect.call(this, transport);
  },
});

/** Fixtures that our own tools can be: they go through the checks, the run and the reply of every tool. */
const plain = {
  title: "Fixture",
  input: z.object({}),
  output: z.object({}),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};
const { toolbox } = (await import(new URL("../../dist/mcp/toolbox.js", import.meta.url).href)) as {
  toolbox: AnyTool[];
};
toolbox.push(
  {
    ...plain,
    name: "test_simple_text",
    description: "Answers with a text",
    handle: async () => ({}) as never,
    say: () => "This is a simple text response for testing.",
  },
  {
    ...plain,
    name: "test_error_handling",
    description: "Fails",
    handle: async () => {
      throw new Error("This tool intentionally returns an error for testing");
    },
    say: () => "",
  },
);
