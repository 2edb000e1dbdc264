import { httpStatus } from "../errors/index.js";
import { localPrincipal } from "../identity/index.js";
import { GuardFiles, GuardStop } from "../locks/index.js";
import { type Asking, jsonRpcError, type McpEndpointOptions } from "./http-asking.js";
import { asRefusal } from "./refusal.js";
import type { Rooms } from "./rooms.js";

/**
 * Answers a guard: who has reserved these files, and takes them where it says so; or gives back what it took. What could
 * not be told is an error, of which `data.code` says what kind.
 */
export async function answerGuardRequest(
  rooms: Rooms,
  { namespace, log }: McpEndpointOptions,
  { body, principal, agent }: Asking,
): Promise<Response> {
  if (principal === undefined && agent === undefined)
    return jsonRpcError(400, -32602, "say who asks: ?agent=NAME, or a token in Authorization: Bearer");
  const asker = principal ?? localPrincipal(namespace, agent!);
  const stop = GuardStop.safeParse(body);
  const look = GuardFiles.safeParse(body);
  if (!stop.success && !look.success)
    return jsonRpcError(400, -32602, "a guard asks with files and perhaps take, or with stop");
  try {
    if (stop.success) await rooms.locks.guardStop(asker, stop.data.stop.session);
    return Response.json(look.success ? await rooms.locks.guardFiles(asker, look.data) : {});
  } catch (error) {
    const { code, kind, message } = asRefusal(error, log, "guard");
    if (code === "access.stopped") return Response.json({ stopped: message });
    const told = { code: -32000, message, data: { code } };
    return Response.json({ jsonrpc: "2.0", error: told, id: null }, { status: httpStatus(kind) });
  }
}
