import { type Config, readConfig } from "../config/index.js";
import type { UnreadMail } from "../mailbox/index.js";
import { type Switches, settingsOf } from "./switches.js";
import { UsageError } from "./usage-error.js";
import { lookInto, onlookerOf } from "./with-house.js";

export interface FoundMail extends UnreadMail {
  readonly agent: string;
  /** What there is to say of it, in one line that may be put before a model. */
  readonly line: string;
}

/** Whose mail is meant, by the command line or the environment. */
export function agentToCheck(switches: Switches): string {
  const agent = switches.agent ?? process.env.LLM_MAILBOX_AGENT;
  if (!agent)
    throw new UsageError(
      "check needs to know whose mail: --agent NAME, or LLM_MAILBOX_AGENT in the environment",
    );
  if (settingsForCheck(switches).server !== undefined)
    throw new UsageError(
      "check looks into a store of its own, not at a server: leave LLM_MAILBOX_SERVER unset",
    );
  return agent;
}

/** What waits for the agent; undefined where nothing was ever stored, and then no engine is started for the answer. */
export function lookForMail(switches: Switches, agent: string): Promise<FoundMail | undefined> {
  return lookInto<FoundMail | undefined>(switches, undefined, async ({ mail: context }, config) => {
    const { unreadLine, unreadMail } = await import("../mailbox/index.js");
    const caller = onlookerOf(config, config.agent ?? agent);
    const found = await unreadMail(context, caller);
    const { agent: name } = caller.principal;
    return { ...found, agent: name, line: unreadLine(name, found) };
  });
}

export function settingsForCheck(switches: Switches): Config {
  return readConfig(process.env, settingsOf(switches));
}
