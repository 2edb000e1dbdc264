import { run } from "./run.js";

/** Runs the command line of this process, and ends with its status. */
export async function runProcess(): Promise<void> {
  const words = process.argv.slice(2);
  hidePassword(words);
  // Whoever reads may stop reading, as head does.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  const { status, atOnce } = await run(words);
  process.exitCode = status;
  if (atOnce) process.exit();
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
