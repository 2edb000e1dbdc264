// Several agents in one process, called by lines of JSON: {id, agent, tool, input} in, {id, result | refused} out.
import { createInterface } from "node:readline";
import { openHouse } from "../../dist/compose.js";
import { readConfig } from "../../dist/config/index.js";
import { isRefusal } from "../../dist/errors/index.js";
import { localPrincipal } from "../../dist/identity/index.js";
import { openLog } from "../../dist/observability/index.js";

/** Opens the house as often as it takes in a minute: the store may be away just when a killed process is started again. */
export async function openWhenThere(env, timing) {
  const until = Date.now() + 60_000;
  for (;;)
    try {
      return await openHouse(readConfig(env), openLog("silent"), timing);
    } catch (error) {
      if (!isRefusal(error) || error.code !== "store.unavailable" || Date.now() > until) throw error;
    }
}

/**
 * Answers until standard input closes, and ends the process then.
 *
 * @param house the opened house in which each agent begins a run with its first call
 * @param tools name → what is done for a caller with an input
 * @param onAnswered told of each result once its line was written
 */
export function answerLines(house, tools, onAnswered = () => undefined) {
  const callers = new Map();
  const callerOf = (agent) => {
    if (!callers.has(agent))
      callers.set(agent, house.rooms.runs.begin(localPrincipal(house.config.namespace, agent)));
    return callers.get(agent);
  };
  createInterface(process.stdin)
    .on("line", async (line) => {
      const { id, agent, tool, input } = JSON.parse(line);
      try {
        const caller = await callerOf(agent).catch((error) => {
          callers.delete(agent);
          throw error;
        });
        const result = await tools[tool](caller, input);
        process.stdout.write(`${JSON.stringify({ id, result })}\n`);
        onAnswered(caller, result);
      } catch (error) {
        const refused = isRefusal(error) ? error.message : `bug: ${error.stack}`;
        process.stdout.write(`${JSON.stringify({ id, refused })}\n`);
      }
    })
    .on("close", () => process.exit(0));
}
