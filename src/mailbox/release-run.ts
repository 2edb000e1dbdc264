import { loadScript } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { workplaces } from "./find-delivery.js";
import { flushSoon } from "./outbox.js";

const releaseScript = loadScript(import.meta.url, "release-run.lua");

/** Gives back everything that is open at a run that is over, wherever its agent takes mail, jobs or topics. */
export async function releaseRun(
  context: MailContext,
  namespace: string,
  agent: string,
  run: string,
  inGoodOrder: boolean,
): Promise<void> {
  context.forget(run);
  for (const mailbox of await workplaces(context, namespace, agent)) {
    let from = "0";
    do {
      const [, , outbox, where] = await context.run(namespace, mailbox, releaseScript, [
        run,
        from,
        inGoodOrder ? "1" : "0",
      ]);
      from = String(where);
      if (Number(outbox) > 0) await flushSoon(context, namespace, mailbox);
    } while (from !== "");
  }
  await context.deps.feed.releaseRun(namespace, agent, run);
}
