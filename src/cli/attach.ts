import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { Caller, RunId } from "../identity/index.js";
import { uploadAttachment } from "../mailbox/index.js";
import { NotThere } from "./not-there.js";
import { printJson, printLine } from "./print.js";
import { fromFolder, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { onlookerOf, type Switches, withHouse } from "./with-house.js";

/** Uploads a file for an agent and prints the id that the agent passes to send_message. */
export async function attach(
  path: string,
  switches: Switches & { readonly contentType?: string },
): Promise<void> {
  const agent = switches.agent ?? terminal().env.LLM_MAILBOX_AGENT;
  if (!agent)
    throw new UsageError("attach needs to know who sends the file: --agent NAME, or LLM_MAILBOX_AGENT");
  // Looked at before a store is opened or started: a slip of the keyboard should cost nothing.
  const file = await open(fromFolder(path)).catch((error: NodeJS.ErrnoException) => {
    throw new NotThere(`${path} cannot be read (${error.code})`, { cause: error });
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new NotThere(`${path} is not a file`);
    const attachment = await withHouse(switches, async (house, config) => {
      const caller = onlookerOf(config, config.agent ?? agent);
      // An agent that was never here has no mailbox to record it by.
      const nobody: Caller = { principal: caller.principal, run: { id: "" as RunId } };
      const asked = { action: "mailbox.send", resource: "attachment" } as const;
      return house.recorder.guard(
        nobody,
        () => asked,
        async () => {
          await house.access.refuseStopped(config.namespace, caller.principal.agent);
          const admission = await house.access.admit(nobody, asked.action, asked.resource);
          await house.recorder.record(nobody, admission);
          return uploadAttachment(house.mail, caller, {
            name: basename(path),
            ...(switches.contentType === undefined ? {} : { contentType: switches.contentType }),
            bytes: stats.size,
            content: file.createReadStream({ autoClose: false }),
          });
        },
      );
    });
    const { id, name, bytes, sha256, contentType } = attachment;
    if (switches.json) return printJson({ id, name, bytes, sha256, content_type: contentType });
    printLine(id);
    terminal().stderr.write(
      `${name}, ${bytes} bytes, for ${agent}: pass the id in attachments of send_message within 24 h.\n`,
    );
  } finally {
    await file.close();
  }
}
