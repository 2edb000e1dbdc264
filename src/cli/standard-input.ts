import { terminal } from "./terminal.js";
import { UsageError } from "./usage-error.js";

/**
 * Standard input, whole.
 *
 * @param tooLong what is said of input that has more bytes than that
 * @throws {UsageError} `tooLong`, before more of it is read
 */
export async function standardInput(mostBytes: number, tooLong: string): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of terminal().stdin as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > mostBytes) throw new UsageError(tooLong);
  }
  return Buffer.concat(parts).toString();
}
