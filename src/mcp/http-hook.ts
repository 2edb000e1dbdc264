import { httpStatus } from "../errors/index.js";
import { localPrincipal } from "../identity/index.js";
import { denial, readHookEvent } from "../policy/index.js";
import { isOn } from "./closed-hook.js";
import { type Asking, jsonRpcError, type McpEndpointOptions } from "./http-asking.js";
import { asRefusal } from "./refusal.js";
import type { Rooms } from "./rooms.js";

/**
 * Answers the hook of a client that is about to call a tool: `?ask=1` leaves what needs a person to the client's user,
 * and `?root=/srv/project` is the folder that paths are told relative to, whatever folder the event names. What could not be decided is an error; with `?closed=1` none leaves the endpoint.
 */
export async function answerHookRequest(
  rooms: Rooms,
  { namespace, log }: McpEndpointOptions,
  { request, body, principal, agent }: Asking,
): Promise<Response> {
  const { searchParams } = new URL(request.url);
  try {
    if (principal === undefined && agent === undefined)
      return jsonRpcError(400, -32602, "say who asks: ?agent=NAME, or a token in Authorization: Bearer");
    const event = readHookEvent(body);
    if (!event) return Response.json({});
    const asker = principal ?? localPrincipal(namespace, agent!);
    const options = { ask: isOn(searchParams.get("ask")), root: searchParams.get("root") ?? undefined };
    return Response.json(await rooms.policy.hook(asker, event, options));
  } catch (error) {
    const refusal = asRefusal(error, log, "policy hook");
    if (refusal.code === "access.stopped") return Response.json(denial(refusal.message));
    return jsonRpcError(httpStatus(refusal.kind), -32000, refusal.message);
  }
}
