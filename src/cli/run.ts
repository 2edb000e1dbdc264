import { CommanderError } from "commander";
import { visible } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";
import { buildProgram } from "./program.js";
import { type End, endWith, inTerminal, type Terminal, terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

const refused = 1;
const misused = 2;

/** What was typed or set is wrong, a credential included. */
const misuses: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "UNAUTHENTICATED"]);

/**
 * Runs one command, in a terminal of its own or in that of this process. What was refused is one line on standard error
 * and status 1, what was typed wrongly one line and status 2.
 *
 * @throws whatever else goes wrong: it is a bug, and shows whole
 */
export function run(words: readonly string[], given?: Terminal): Promise<End> {
  return inTerminal(given, async () => {
    const { stdout, stderr } = terminal();
    const program = buildProgram(packageVersion());
    for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
      command.exitOverride().configureOutput({
        writeOut: (text) => stdout.write(text),
        writeErr: (text) => stderr.write(text),
        outputError: (text, write) => write(`llm-mailbox: ${visible(text.replace(/^error: /, ""), "\n")}`),
      });
    try {
      await program.parseAsync(words, { from: "user" });
    } catch (error) {
      if (error instanceof CommanderError) {
        if (error.exitCode !== 0) endWith(isStopHook(words) ? refused : misused);
        return;
      }
      const status = statusOf(error);
      if (status === undefined) throw error;
      stderr.write(`llm-mailbox: ${visible((error as Error).message, "\n")}\n`);
      endWith(status === misused && isStopHook(words) ? refused : status);
    }
  });
}

/** By status 2 of a hook at the end of its turn a client has the model go on, which could mend nothing here. */
function isStopHook([command, part]: readonly string[]): boolean {
  return command === "guard" && part === "stop";
}

function statusOf(error: unknown): number | undefined {
  // What was typed is right; the file it names is not.
  if (isRefusal(error, "policy.invalid")) return refused;
  if (isRefusal(error)) return misuses.has(error.kind) ? misused : refused;
  if (!(error instanceof Error)) return undefined;
  if (error.name === "UsageError" || error.name === "SetupError") return misused;
  return ["NotThere", "EngineError", "ServerRefused"].includes(error.name) ? refused : undefined;
}
