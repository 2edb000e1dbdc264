import { Command, Option } from "commander";
import type { Flags } from "../config/index.js";
import { isRefusal } from "../errors/index.js";
import { packageVersion } from "./version.js";

/** Runs one command. A refusal is printed as one line and ends with status 1; anything else is a bug and shows whole. */
export async function run(argv: readonly string[]): Promise<void> {
  const program = new Command("llm-mailbox")
    .description("Durable mailboxes and topics for LLM agents, over the Model Context Protocol")
    .version(packageVersion())
    .showHelpAfterError("(llm-mailbox --help shows what there is)");

  const store = (command: Command): Command =>
    command
      .addOption(new Option("--data-dir <dir>", "where the local store lives"))
      .addOption(new Option("--redis-url <url>", "a Redis of your own instead of the local store"))
      .addOption(new Option("--namespace <name>", "the namespace (default)"));

  store(program.command("stdio"))
    .description("serve one MCP client on standard input and output")
    .option("--agent <name>", "the name of the agent that this client is")
    .action(async (flags: Flags) => (await import("./stdio.js")).stdio(flags));
  store(program.command("serve"))
    .description("serve MCP over Streamable HTTP on this machine")
    .option("--host <address>", "loopback address to listen on (127.0.0.1)")
    .option("--port <port>", "port to listen on (7678)")
    .action(async (flags: Flags) => (await import("./serve.js")).serve(flags));
  program
    .command("supervise", { hidden: true })
    .requiredOption("--data-dir <dir>")
    .requiredOption("--engine <engine>")
    .requiredOption("--idle-ms <ms>")
    .action(async (flags: { dataDir: string; engine: string; idleMs: string }) =>
      (await import("./supervise.js")).supervise(flags),
    );

  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (!isRefusal(error) && !(error instanceof Error && error.name === "EngineError")) throw error;
    process.stderr.write(`llm-mailbox: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
