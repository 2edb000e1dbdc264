import { CommanderError } from "commander";
import { visible } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";
import { buildProgram } from "./program.js";
import { packageVersion } from "./version.js";

const refused = 1;
const misused = 2;

/** What was typed or set is wrong, a credential included. */
const misuses: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "UNAUTHENTICATED"]);

/**
 * Runs one command. What was refused is one line on standard error and status 1, what was typed wrongly one line and
 * status 2; anything else is a bug and shows whole.
 */
export async function run(argv: readonly string[]): Promise<void> {
  hidePassword(argv.slice(2));
  const program = buildProgram(packageVersion());
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(`llm-mailbox: ${visible(text.replace(/^error: /, ""), "\n")}`),
    });
  // Whoever reads may stop reading, as head does.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode !== 0) process.exitCode = misused;
      return;
    }
    const status = statusOf(error);
    if (status === undefined) throw error;
    process.stderr.write(`llm-mailbox: ${visible((error as Error).message, "\n")}\n`);
    process.exitCode = status;
  }
}

/** The words of a command line are for everybody on the machine to read, and an address may hold a password. */
function hidePassword(words: readonly string[]): void {
  if (!words.some((word) => word.startsWith("--redis-url"))) return;
  const shown = words.map((word, n) => {
    if (words[n - 1] === "--redis-url") return "…";
    return word.replace(/^--redis-url=.*/s, "--redis-url=…");
  });
  process.title = ["llm-mailbox", ...shown].join(" ");
}

function statusOf(error: unknown): number | undefined {
  // What was typed is right; the file it names is not.
  if (isRefusal(error, "policy.invalid")) return refused;
  if (isRefusal(error)) return misuses.has(error.kind) ? misused : refused;
  if (!(error instanceof Error)) return undefined;
  if (error.name === "UsageError") return misused;
  return ["NotThere", "EngineError", "ServerRefused"].includes(error.name) ? refused : undefined;
}
