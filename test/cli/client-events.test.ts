import { expect, it } from "vitest";
import { readHookCall } from "../../src/cli/client-hook.js";
import { readHookEvent } from "../../src/policy/index.js";
import { toolSteps } from "../../src/policy/tool-steps.js";
import { toolEvents } from "./client-events.js";

it.each(toolEvents.map(([{ client, event }, steps, files]) => ({ client, event, steps, files })))(
  "$client, before $event.tool_name of $event.tool_input: $steps",
  ({ client, event, steps, files }) => {
    const told = readHookEvent(event)!;
    expect(
      toolSteps(told, (path) => path).steps.map(({ action, resource }) => `${action} ${resource}`.trim()),
    ).toEqual(steps);
    expect(told).toMatchObject({ folder: "/srv/shop", asksUser: client.startsWith("Claude") });
    expect(readHookCall(JSON.stringify(event))).toEqual({
      ...{ session: event.session_id, folder: "/srv/shop", files },
    });
  },
);
