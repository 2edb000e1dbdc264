import { loadScript } from "../redis/index.js";
import type { MailContext } from "./context.js";
import { flushSoon } from "./outbox.js";

const keepMailbox = loadScript(import.meta.url, "keep-mailbox.lua");

const mailboxesAtOnce = 20;

/**
 * Does in some mailboxes, in turn, what time alone has made due, so that mail nobody reads expires visibly too. Called
 * by the one process that sweeps; whoever reads a mailbox does the same for it at once.
 */
export class MailboxKeeper {
  readonly #context: MailContext;
  #left: string[] = [];

  constructor(context: MailContext) {
    this.#context = context;
  }

  async sweep(namespace: string): Promise<void> {
    if (this.#left.length === 0) this.#left = [...(await this.#context.deps.directory.mailboxes(namespace))];
    for (const mailbox of this.#left.splice(0, mailboxesAtOnce)) {
      const [, outbox] = await this.#context.run(namespace, mailbox, keepMailbox, []);
      if (Number(outbox) > 0) await flushSoon(this.#context, namespace, mailbox);
    }
  }
}
