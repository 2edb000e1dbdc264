import { isAgentName } from "../addresses/index.js";
import { refuse } from "../errors/index.js";
import { type Admit, alsoBecause, type Caller } from "../identity/index.js";
import type { Access, Stop } from "./access.js";

const longestReason = 500;

export interface KillSwitchDependencies {
  readonly access: Access;
  readonly admit: Admit;
  readonly now: () => number;
  /** Gives up whatever the agent has that others wait for: locks, places in queues, jobs. Safe to repeat. */
  readonly giveUp: (namespace: string, agent: string) => Promise<void>;
  /** Goes on with what was held back while the agent was stopped. */
  readonly goOn: (namespace: string, agent: string) => Promise<void>;
  readonly log: (event: string, facts: Record<string, unknown>) => void;
}

/**
 * Stops an agent at once and whole: its calls are refused and its waits end in every process within a second, and what
 * it has is given up. That holds until it is resumed, whatever becomes of the process that stopped it: a sweep gives up
 * what was taken by a call that was under way, or was left behind by a process that died in between.
 */
export class KillSwitch {
  readonly #deps: KillSwitchDependencies;

  constructor(deps: KillSwitchDependencies) {
    this.#deps = deps;
  }

  /** Stopping again says the new reason. @throws {MailboxError} `access.denied`, `input.invalid` */
  async stop(caller: Caller, agent: string, reason: string): Promise<Stop> {
    const { access, admit, now, giveUp } = this.#deps;
    const admission = await admit(caller, "admin.agents", agent);
    if (!isAgentName(agent))
      refuse("input.invalid", { problem: "only an agent can be stopped, by its name" });
    if (reason.trim() === "" || reason.length > longestReason)
      refuse("input.invalid", { problem: `the reason has 1 to ${longestReason} characters` });
    const { namespace, agent: by } = caller.principal;
    const stop: Stop = { reason, by, at: Math.round(now()) };
    const rule = { field: `stopped:${agent}`, value: JSON.stringify(stop) } as const;
    await access.change(namespace, [rule], alsoBecause(admission, "stop"));
    await giveUp(namespace, agent);
    return stop;
  }

  /** Lets an agent go on; answers how it had been stopped, undefined where it had not. @throws {MailboxError} `access.denied` */
  async resume(caller: Caller, agent: string): Promise<Stop | undefined> {
    const { access, admit, goOn } = this.#deps;
    const admission = await admit(caller, "admin.agents", agent);
    const { namespace } = caller.principal;
    const stop = (await access.rulesNow(namespace)).stopped.get(agent);
    await access.change(namespace, [{ field: `stopped:${agent}` }], alsoBecause(admission, "resume"));
    if (stop) await goOn(namespace, agent);
    return stop;
  }

  /** Gives up what stopped agents have all the same. Any process may do it at any time. */
  async sweep(namespace: string): Promise<void> {
    const { access, giveUp, log } = this.#deps;
    for (const agent of (await access.rules(namespace)).stopped.keys())
      await giveUp(namespace, agent).catch((error: Error) =>
        log("what a stopped agent has was not given up yet", { agent, error: error.message }),
      );
  }
}
