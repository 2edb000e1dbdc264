/** The face for agents: tools, resources and prompts of the Model Context Protocol, over stdio and HTTP. */

export type { CallMeters } from "./call-meters.js";
export { newExchange } from "./exchange.js";
export type { EndpointUse, HttpExchange, McpEndpoint, McpEndpointOptions } from "./http-endpoint.js";
export { defaultEndpointLimits, type EndpointLimits, requestsPerCall } from "./http-limits.js";
export type { Log } from "./log.js";
export { loopTurns } from "./loop-turns.js";
export type { Patience } from "./presence.js";
export type { RelayOptions } from "./relay.js";
export { type Reminded, remind } from "./reminder.js";
export type { Rooms, WatchTarget, WholeMessage } from "./rooms.js";
export type { ServerGuard } from "./server-guard.js";
export type { ServerInbox } from "./server-inbox.js";
export type { StdioOptions } from "./stdio.js";
export { unreadLine } from "./unread-line.js";

import type { GuardFiles, GuardStop } from "../locks/index.js";
import type { McpEndpoint, McpEndpointOptions } from "./http-endpoint.js";
import type { RelayOptions } from "./relay.js";
import type { RelayedServerOptions } from "./relay-server.js";
import type { Rooms } from "./rooms.js";
import type { ServerGuard } from "./server-guard.js";
import type { ServerInbox } from "./server-inbox.js";
import type { StdioOptions } from "./stdio.js";
import type { OwnStep } from "./step-arguments.js";

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

/** The arguments of a step as one of our own tools asks about them; see `OwnStep`. */
export async function argumentsOfStep(step: OwnStep): Promise<OwnStep["arguments"]> {
  const { argumentsOfStep: argumentsOf } = await import("./step-arguments.js");
  return argumentsOf(step);
}

/** MCP over HTTP as a function from request to response, for the room that listens. */
export async function openMcpEndpoint(rooms: Rooms, options: McpEndpointOptions): Promise<McpEndpoint> {
  const { openEndpoint } = await import("./http-endpoint.js");
  return openEndpoint(rooms, options);
}

/** One client on stdin and stdout of a server elsewhere; see `RelayOptions`. Nothing of a store is loaded for it. */
export async function relayStdio(options: RelayOptions): Promise<void> {
  const { relayStdio: relay } = await import("./relay.js");
  return relay(options);
}

/** What waits for an agent at a server elsewhere; see `ServerInbox`. Nothing of a store is loaded for it. */
export async function inboxAtServer(
  options: RelayedServerOptions,
  signal: AbortSignal,
): Promise<ServerInbox> {
  const { inboxAtServer: look } = await import("./server-inbox.js");
  return look(options, signal);
}

/** What a server elsewhere tells a guard; see `ServerGuard`. Nothing of a store is loaded for it. */
export async function guardAtServer(
  options: RelayedServerOptions,
  asked: GuardFiles | GuardStop,
  signal: AbortSignal,
): Promise<ServerGuard> {
  const { guardAtServer: ask } = await import("./server-guard.js");
  return ask(options, asked, signal);
}
