import type { House } from "../compose.js";
import { type Config, readConfig } from "../config/index.js";
import {
  type Action,
  type Admission,
  type Caller,
  operatorPrincipal,
  type RunId,
} from "../identity/index.js";
import { loadLog } from "../observability/index.js";
import { holdsData } from "../redis/engine/index.js";
import { type Switches, settingsOf } from "./switches.js";
import { terminal } from "./terminal.js";

export { type Switches, settingsOf } from "./switches.js";

/** Opens the rooms for one command and closes them after it, whatever came of it. */
export async function withHouse<T>(
  switches: Switches,
  work: (house: House, config: Config) => Promise<T>,
): Promise<T> {
  return withHouseOf(readConfig(terminal().env, settingsOf(switches)), work);
}

export async function withHouseOf<T>(
  config: Config,
  work: (house: House, config: Config) => Promise<T>,
): Promise<T> {
  // At a terminal the answer says what went wrong; who wants the log too asks for it.
  const log = await loadLog(terminal().env.LLM_MAILBOX_LOG_LEVEL ? config.logLevel : "silent");
  const { openHouse } = await import("../compose.js");
  const house = await openHouse(config, log);
  try {
    return await work(house, config);
  } finally {
    await house.close();
  }
}

/** As `withHouse`, but looking into an empty data directory neither creates it nor starts an engine for it. */
export async function lookInto<T>(
  switches: Switches,
  nothing: T,
  work: (house: House, config: Config) => Promise<T>,
): Promise<T> {
  const config = readConfig(terminal().env, settingsOf(switches));
  return holdsStore(config) ? withHouseOf(config, work) : nothing;
}

/** Whether there may be something to look into: not in a data directory in which nothing was ever stored. */
export function holdsStore(config: Config): boolean {
  return config.redisUrl !== undefined || holdsData(config.dataDir);
}

/** Whoever may open the store is the operator: no rule about who may read what binds the command line. */
export function operator(config: Config): Caller {
  return atCommandLine(operatorPrincipal(config.namespace));
}

/** Does something as the operator. No rule forbids it, and it is recorded, also where it is refused. */
export function asOperator<T>(
  house: House,
  action: Action,
  resource: string,
  work: (caller: Caller, admission: Admission) => Promise<T>,
): Promise<T> {
  const caller = operator(house.config);
  return house.recorder.guard(
    caller,
    () => ({ action, resource }),
    async () => work(caller, await house.access.admit(caller, action, resource)),
  );
}

/** Records a look of the operator at what no use case records; nothing is shown where it cannot be. */
export async function recordLook(house: House, action: Action, resource: string): Promise<void> {
  await asOperator(house, action, resource, (caller, admission) => house.recorder.record(caller, admission));
}

/** Looks with the eyes of an agent, without being one of its runs: nothing can be taken or settled this way. */
export function onlookerOf(config: Config, agent: string): Caller {
  return atCommandLine({ ...operatorPrincipal(config.namespace), agent, roles: ["agent"] });
}

function atCommandLine(principal: Caller["principal"]): Caller {
  return { principal, run: { id: `${principal.agent}/command-line` as RunId } };
}
