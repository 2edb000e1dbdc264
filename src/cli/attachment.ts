import { randomBytes } from "node:crypto";
import { constants, createWriteStream } from "node:fs";
import { copyFile, link, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type OpenedAttachment, readAttachment } from "../mailbox/index.js";
import { NotThere } from "./not-there.js";
import { printJson, printLine } from "./print.js";
import { fromFolder, terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";
import { onlookerOf, type Switches, withHouse } from "./with-house.js";

/**
 * Saves an attachment of a message that the agent received or sent. The file appears whole and checked, or not at all,
 * and takes the place of another only when asked to.
 */
export async function saveAttachment(
  messageId: string,
  attachmentId: string,
  switches: Switches & { readonly output?: string; readonly force?: boolean },
): Promise<void> {
  const agent = switches.agent ?? terminal().env.LLM_MAILBOX_AGENT;
  if (!agent)
    throw new UsageError("save needs to know whose message it is: --agent NAME, or LLM_MAILBOX_AGENT");
  await withHouse(switches, async (house, config) => {
    const caller = onlookerOf(config, config.agent ?? agent);
    const opened = await readAttachment(house.mail, caller, messageId, attachmentId);
    if (switches.output === "-") {
      await pipeline(opened.content, terminal().stdout, { end: false });
      return;
    }
    const path = switches.output ?? fileName(opened);
    await save(opened, path, switches.force ?? false);
    const { id, name, bytes, sha256, contentType } = opened;
    if (switches.json) printJson({ id, name, path, bytes, sha256, content_type: contentType });
    else printLine(`${path} (${bytes} bytes, SHA-256 ${sha256})`);
  });
}

async function save(opened: OpenedAttachment, path: string, force: boolean): Promise<void> {
  const place = fromFolder(path);
  const taken = await stat(place).catch(() => undefined);
  if (taken?.isDirectory()) throw new UsageError(`${path} is a directory; say the name of a file`);
  if (taken && !force) throw inTheWay(path);
  const unchecked = join(dirname(place), `.${randomBytes(6).toString("hex")}.part`);
  try {
    await pipeline(opened.content, createWriteStream(unchecked, { flags: "wx" }));
    if (force) await rename(unchecked, place);
    else await appear(unchecked, place);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw inTheWay(path);
    if (["ENOENT", "EACCES", "ENOTDIR", "EROFS", "ENOSPC"].includes(code ?? ""))
      throw new NotThere(`${path} cannot be written (${code})`, { cause: error });
    throw error;
  } finally {
    await rm(unchecked, { force: true });
  }
}

/** Whoever wrote a file of that name meanwhile keeps it. */
async function appear(unchecked: string, path: string): Promise<void> {
  try {
    await link(unchecked, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    // Not every file system has links.
    await copyFile(unchecked, path, constants.COPYFILE_EXCL);
  }
}

function inTheWay(path: string): UsageError {
  return new UsageError(`${path} is there already; say another name with -o, or --force to replace it`);
}

/** The sender chose the name: no directory, no hidden file, and nothing a shell or terminal reads in its own way. */
function fileName({ name, id }: OpenedAttachment): string {
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._-]+/, "");
  return plain === "" ? id : plain.slice(-100);
}
