import { type Config, readConfig } from "../config/index.js";
import type { UnreadMail } from "../mailbox/index.js";
import { inboxAtServer, unreadLine } from "../mcp/index.js";
import { ServerRefused } from "./server-refused.js";
import { type ServerSwitches, type Switches, serverSettingsOf, settingsOf } from "./switches.js";
import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { packageVersion } from "./version.js";

export interface FoundMail
  extends Pick<UnreadMail, "unread" | "urgent" | "open" | "senders" | "newestAt" | "lookedAt"> {
  readonly agent: string;
  /** What there is to say of it, in one line that may be put before a model. */
  readonly line: string;
}

/** The settings of a look, and whose mail is meant: by the command line or the environment. */
export function settingsForLook(switches: Switches & ServerSwitches): Config & { readonly agent: string } {
  const config = readConfig(terminal().env, { ...settingsOf(switches), ...serverSettingsOf(switches) });
  const { agent } = config;
  if (agent === undefined)
    throw new UsageError(
      "check needs to know whose mail: --agent NAME, or LLM_MAILBOX_AGENT in the environment",
    );
  return { ...config, agent };
}

/** What waits for the agent; undefined where nothing was ever stored, and then no engine is started for the answer. */
export async function lookForMail(
  config: Config & { readonly agent: string },
): Promise<FoundMail | undefined> {
  const found = await (config.server === undefined ? lookHere(config) : lookThere(config, config.server));
  return found && { ...found, agent: config.agent, line: unreadLine(config.agent, found) };
}

async function lookHere(config: Config & { readonly agent: string }): Promise<UnreadMail | undefined> {
  const { holdsStore, onlookerOf, withHouseOf } = await import("./with-house.js");
  if (!holdsStore(config)) return undefined;
  return withHouseOf(config, ({ rooms }) => rooms.mail.unread(onlookerOf(config, config.agent)));
}

async function lookThere(
  { agent, token }: Config & { readonly agent: string },
  server: string,
): Promise<Omit<UnreadMail, "dead">> {
  const lookedAt = Date.now();
  const options = {
    ...{ url: new URL(server), agent, version: packageVersion(), reachMs: 1_000, quietMs: 10_000 },
    ...(token === undefined ? {} : { token }),
  };
  const found = await inboxAtServer(options, AbortSignal.timeout(15_000));
  if ("refused" in found) throw new ServerRefused(found.refused, found.code);
  return { ...found, lookedAt };
}
