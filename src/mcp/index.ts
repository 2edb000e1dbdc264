/** The face for agents: tools, resources and prompts of the Model Context Protocol, over stdio and HTTP. */

export type { CallMeters } from "./call-meters.js";
export { newExchange } from "./exchange.js";
export type { EndpointUse, HttpExchange, McpEndpoint, McpEndpointOptions } from "./http-endpoint.js";
export { defaultEndpointLimits, type EndpointLimits } from "./http-limits.js";
export type { Log } from "./log.js";
export type { Rooms, WatchTarget, WholeMessage } from "./rooms.js";
export type { StdioOptions } from "./stdio.js";

import type { McpEndpoint, McpEndpointOptions } from "./http-endpoint.js";
import type { Rooms } from "./rooms.js";
import type { StdioOptions } from "./stdio.js";

// Each transport is loaded when it is asked for: starting a process is what clients wait for.

/** Serves one client on stdin and stdout; see `StdioOptions`. Resolves when it is over and its run has been ended. */
export async function serveStdio(rooms: Rooms, options: StdioOptions): Promise<void> {
  const { serveStdio: serve } = await import("./stdio.js");
  return serve(rooms, options);
}

/** The names of the tools there are. */
export async function toolNames(): Promise<readonly string[]> {
  const { toolbox } = await import("./toolbox.js");
  return toolbox.map(({ name }) => name);
}

/** MCP over HTTP as a function from request to response, for the room that listens. */
export async function openMcpEndpoint(rooms: Rooms, options: McpEndpointOptions): Promise<McpEndpoint> {
  const { openEndpoint } = await import("./http-endpoint.js");
  return openEndpoint(rooms, options);
}
