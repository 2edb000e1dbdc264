import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { NotThere } from "./not-there.js";
import { standardInput } from "./standard-input.js";
import { fromFolder } from "./terminal.js";

/** A rule set has at most so many bytes; more is not read. */
const mostBytes = 256 * 1024;

/** The text of a rule set that somebody names: a regular file, or `-` for standard input. */
export async function rulesFile(path: string): Promise<string> {
  if (path === "-")
    return standardInput(mostBytes, `standard input is longer than a rule set may be (${mostBytes} bytes)`);
  // Without waiting: a pipe that nobody writes to would keep the command for ever.
  const file = await open(fromFolder(path), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(
    (error: NodeJS.ErrnoException) => {
      throw new NotThere(`${path} cannot be read (${error.code})`, { cause: error });
    },
  );
  try {
    if (!(await file.stat()).isFile()) throw new NotThere(`${path} is not a file`);
    const bytes = await beginning(file, mostBytes + 1);
    if (bytes.length > mostBytes)
      throw new NotThere(`${path} is longer than a rule set may be (${mostBytes} bytes)`);
    return textOf(bytes, path);
  } finally {
    await file.close();
  }
}

async function beginning(file: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, most - length);
    length += bytesRead;
    if (bytesRead === 0 || length === most) return buffer.subarray(0, length);
  }
}

function textOf(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new NotThere(`${path} is not text in UTF-8`, { cause: error });
  }
}
