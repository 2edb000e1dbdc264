import * as mail from "../mailbox/index.js";
import { plural, printJson, printLine } from "./print.js";
import { UsageError } from "./usage-error.js";
import { lookInto, onlookerOf, type Switches } from "./with-house.js";

interface News {
  readonly agent: string;
  readonly unread: number;
  readonly urgent: number;
  readonly open: number;
  /** Senders of the first of what is unread in the mailbox itself, most urgent first; topics are counted alone. */
  readonly from: readonly string[];
}

/** Tells in one line what waits for an agent, and nothing at all when nothing does: made for the hooks of clients. */
export async function check(switches: Switches): Promise<void> {
  const agent = switches.agent ?? process.env.LLM_MAILBOX_AGENT;
  if (!agent)
    throw new UsageError(
      "check needs to know whose mail: --agent NAME, or LLM_MAILBOX_AGENT in the environment",
    );
  const nothing: News = { agent, unread: 0, urgent: 0, open: 0, from: [] };
  const news = await lookInto(switches, nothing, async ({ mail: context }, config): Promise<News> => {
    const caller = onlookerOf(config, config.agent ?? agent);
    const { unread, urgent, open, senders } = await mail.unreadMail(context, caller);
    return { agent: caller.principal.agent, unread, urgent, open, from: senders };
  });
  if (switches.json) printJson(news);
  else if (news.unread > 0) printLine(sentence(news));
}

/** A client may put this line before a model: only counts and names that we have checked stand in it. */
function sentence({ agent, unread, urgent, from }: News): string {
  const names = from.slice(0, 3).join(", ") + (from.length > 3 ? " and others" : "");
  const facts = [
    `${plural(unread, "unread message")} for ${agent}`,
    ...(urgent > 0 ? [`${urgent} urgent`] : []),
    ...(names === "" ? ["from topics"] : [`from ${names}`]),
  ];
  return `LLM Mailbox: ${facts.join(", ")}. Call read_inbox to read.`;
}
