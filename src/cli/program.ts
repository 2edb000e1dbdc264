import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { nearest } from "../addresses/index.js";
import type { Flags } from "../config/index.js";
import { type Role, roles } from "../identity/index.js";
import type { Story } from "./demo.js";
import type { GuardSwitches } from "./guard.js";
import type { InitSwitches } from "./init.js";
import type { DecisionSwitches } from "./policy-decisions.js";
import type { ExplainSwitches } from "./policy-explain.js";
import type { PolicyHookSwitches } from "./policy-hook.js";
import type { ValidateSwitches } from "./policy-validate.js";
import type { PutSwitches } from "./policy-versions.js";
import type { StdioSwitches } from "./stdio.js";
import type { ServerSwitches, Switches } from "./switches.js";

/** A command as it is typed: its words, what it does, an example, and how it is loaded when it is called. */
interface Entry {
  readonly name: string;
  readonly description: string;
  readonly example?: string;
  readonly set?: (command: Command) => Command;
  /** It takes no words of its own, only commands below it: another word is a slip of one of them. */
  readonly isList?: boolean;
}

/**
 * The whole syntax of the command line. Nothing of a command is loaded before it is called: `stdio` is started by
 * clients that wait for it.
 */
export function buildProgram(version: string): Command {
  const program = new Command("llm-mailbox")
    .description("Durable mailboxes and topics for LLM agents, over the Model Context Protocol")
    .version(version)
    .addOption(new Option("--agent <name>", "the agent this is about, or LLM_MAILBOX_AGENT"))
    .addOption(new Option("--data-dir <dir>", "where the local store lives, or LLM_MAILBOX_DATA_DIR"))
    .addOption(
      new Option("--redis-url <url>", "a Redis of your own instead of the local store, or REDIS_URL"),
    )
    .addOption(new Option("--namespace <name>", "the namespace (default), or LLM_MAILBOX_NAMESPACE"))
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showSuggestionAfterError(true)
    .addHelpText("after", "\nllm-mailbox help COMMAND says more about one command, with an example.");
  addServers(program);
  addLooks(program);
  addQueues(program);
  addTopics(program);
  addLocks(program);
  addGuard(program);
  addState(program);
  addBudgets(program);
  addDeadLetters(program);
  addBlocks(program);
  addApprovals(program);
  addAudit(program);
  addGrants(program);
  addPolicy(program);
  addAttachments(program);
  addHelp(program);
  return program;
}

function addServers(program: Command): void {
  add<StdioSwitches>(
    program,
    {
      name: "stdio",
      description: "serve one MCP client on standard input and output",
      example: "llm-mailbox stdio --agent reviewer",
      set: (command) =>
        withServer(command).option(
          "--channel",
          "push hints of new mail to Claude Code (preview), or LLM_MAILBOX_CHANNEL=1",
        ),
    },
    async ({ switches }) => (await import("./stdio.js")).stdio(switches),
  );
  add<Flags>(
    program,
    {
      name: "serve",
      description: "serve MCP over HTTP on this machine",
      example: "llm-mailbox serve --port 7678",
      set: (command) =>
        command
          .option(
            "--host <address>",
            "address to listen on (127.0.0.1); another than loopback needs credentials",
          )
          .option("--port <port>", "port to listen on (7678)"),
    },
    async ({ switches }) => (await import("./serve.js")).serve(switches),
  );
  program
    .command("supervise", { hidden: true })
    .requiredOption("--engine <engine>")
    .requiredOption("--idle-ms <ms>")
    .action(async (_, command: Command) =>
      (await import("./supervise.js")).supervise(command.optsWithGlobals()),
    );
}

function addLooks(program: Command): void {
  add<Switches>(
    program,
    {
      name: "demo",
      description:
        "watch agents work together, one of which is killed; on a store of its own: a job that is handed over (mail), or one record that three want to change (locks)",
      example: "llm-mailbox demo locks",
      set: (command) =>
        withJson(command).addArgument(
          new Argument("[story]", "what to watch").choices(["mail", "locks"]).default("mail"),
        ),
    },
    async ({ words: [story], switches }) => (await import("./demo.js")).demo(story as Story, switches),
  );
  add<InitSwitches>(
    program,
    {
      name: "init",
      description:
        "show the configuration of the clients found here, and write it after asking; overwrites nothing",
      example: "llm-mailbox init --client claude-code --agent coder",
      set: (command) =>
        withServer(command)
          .option("--client <name...>", "only these: claude-desktop, claude-code, codex, cursor, vscode")
          .option("--hooks", "with --yes: also the hooks of Claude Code and Codex that remind of unread mail")
          .option(
            "--policy-hook",
            "also the hooks by which Claude Code and Codex ask the policy before a tool",
          )
          .option("-y, --yes", "write without asking"),
    },
    async ({ switches }) => (await import("./init.js")).init(switches),
  );
  add<Switches & ServerSwitches & { hook?: "claude-code" }>(
    program,
    {
      name: "check",
      description:
        "tell in one line what waits unread for an agent, and print nothing when nothing does; marks nothing as read",
      example: "llm-mailbox check --agent reviewer     in a hook of a client, before each prompt",
      set: (command) =>
        withServer(withJson(command)).addOption(
          new Option(
            "--hook <client>",
            "answer an event of this client's hooks, read on standard input",
          ).choices(["claude-code"]),
        ),
    },
    async ({ switches }) =>
      switches.hook
        ? (await import("./check-hook.js")).checkHook(switches)
        : (await import("./check.js")).check(switches),
  );
  add<Switches>(
    program,
    {
      name: "doctor",
      description:
        "look at settings, data directory, engine, store and hooks, and say what is wrong and what to do",
      example: "llm-mailbox doctor",
      set: withJson,
    },
    async ({ switches }) => (await import("./doctor.js")).doctor(switches),
  );
  addAgents(program);
  add<Switches & { topic?: string; queue?: string; follow?: boolean; lines: number }>(
    program,
    {
      name: "tail",
      description: "show messages in the order in which they came, newest last; takes none of them",
      example: "llm-mailbox tail --topic 'builds.**' --follow",
      set: (command) =>
        withJson(command, "one JSON object per line, for programs")
          .option("--topic <pattern>", "a topic, or those a pattern means, instead of --agent's mailbox")
          .option("--queue <name>", "a queue, instead of --agent's mailbox")
          .option("-f, --follow", "go on as messages arrive, until Ctrl-C")
          .addOption(
            new Option("-n, --lines <count>", "how many of the newest to begin with")
              .argParser(countUpTo(1_000, 0))
              .default(10),
          ),
    },
    async ({ switches }) => (await import("./tail.js")).tail(switches),
  );
  add<Switches & { sender: string }>(
    program,
    {
      name: "recall",
      description: "take a message back from every recipient who has not been given it yet",
      example: "llm-mailbox recall 1kq0x3v9a2-0a1b2c3d4e5f6 --sender planner",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("<message-id>", "the id its sender was told"))
          .requiredOption("--sender <name>", "the agent that sent it"),
    },
    async ({ words: [id], switches }) => (await import("./recall.js")).recall(id!, switches),
  );
}

function addAgents(program: Command): void {
  const agents = add<Switches>(
    program,
    {
      name: "agents",
      description: "list who has ever been here, who is here now, and what waits for each",
      example: "llm-mailbox agents --json",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./agents.js")).agents(switches),
  );
  add<Switches>(
    agents,
    {
      name: "unknown",
      description: "show or set what becomes of mail to names nobody has",
      example: "llm-mailbox agents unknown refuse",
      set: (command) =>
        command.addArgument(
          new Argument("[rule]", "open a mailbox for them, or refuse").choices(["open", "refuse"]),
        ),
    },
    async ({ words: [rule], switches }) =>
      (await import("./unknown-names.js")).unknownNames(rule as "open" | "refuse" | undefined, switches),
  );
  addRecords(agents);
  addTokens(agents);
}

function addRecords(agents: Command): void {
  const name = (): Argument => new Argument("<name>", "the name of an agent");
  add<Switches & { role?: string; team?: string; label?: readonly string[]; unlabel?: readonly string[] }>(
    agents,
    {
      name: "set",
      description: "record what an agent is, for rules of policy to tell it by; an empty word takes one back",
      example: "llm-mailbox agents set coder --role junior --team payments --label tier=gold",
      set: (command) =>
        withJson(command)
          .addArgument(name())
          .option("--role <word>", "what it is trusted with, such as junior")
          .option("--team <word>", "the team it works in")
          .option("--label <name=value...>", "more that rules may ask for")
          .option("--unlabel <name...>", "labels that go"),
    },
    async ({ words: [agent], switches }) => (await import("./agent-records.js")).setAgent(agent!, switches),
  );
  add<Switches>(
    agents,
    {
      name: "show",
      description: "show what is recorded of an agent, and whether it was stopped",
      example: "llm-mailbox agents show coder",
      set: (command) => withJson(command).addArgument(name()),
    },
    async ({ words: [agent], switches }) => (await import("./agent-records.js")).showAgent(agent!, switches),
  );
  add<Switches & { reason: string }>(
    agents,
    {
      name: "stop",
      description:
        "stop an agent at once: its calls are refused, its locks and jobs are given up, what it sent and is not delivered waits",
      example: "llm-mailbox agents stop coder --reason 'it deletes what it should not'",
      set: (command) =>
        withJson(command)
          .addArgument(name())
          .requiredOption("--reason <text>", "why; the operator's own words"),
    },
    async ({ words: [agent], switches }) => (await import("./agent-records.js")).stopAgent(agent!, switches),
  );
  add<Switches>(
    agents,
    {
      name: "resume",
      description: "let a stopped agent go on",
      example: "llm-mailbox agents resume coder",
      set: (command) => withJson(command).addArgument(name()),
    },
    async ({ words: [agent], switches }) =>
      (await import("./agent-records.js")).resumeAgent(agent!, switches),
  );
}

function addTokens(agents: Command): void {
  const name = (): Argument => new Argument("<name>", "the name of an agent");
  const lasting = (command: Command): Command =>
    command
      .addOption(
        new Option("--expires <time>", "how long it holds, such as 12h or 30d (90d)").argParser(
          timeUpTo(3_650),
        ),
      )
      .option("--never", "it holds until it is revoked")
      .option("--note <text>", "what it is for, shown in lists");
  add<Switches & { expires?: number; never?: boolean; note?: string; role?: readonly Role[] }>(
    agents,
    {
      name: "issue",
      description: "issue a token for an agent; it is printed once and kept nowhere",
      example: "llm-mailbox agents issue reviewer > reviewer.token",
      set: (command) =>
        lasting(
          command
            .addArgument(name())
            .addOption(
              new Option(
                "--role <role>",
                "what the agent may without a grant (agent); may be repeated",
              ).argParser(oneMoreRole),
            ),
        ),
    },
    async ({ words: [agent], switches }) => (await import("./tokens.js")).issueToken(agent!, switches),
  );
  add<Switches>(
    agents,
    {
      name: "tokens",
      description: "list the tokens of all agents or of one, without what would prove anything",
      example: "llm-mailbox agents tokens reviewer",
      set: (command) => command.addArgument(new Argument("[name]", "the name of an agent")),
    },
    async ({ words: [agent], switches }) => (await import("./tokens.js")).listTokens(agent, switches),
  );
  add<Switches & { overlap: number; expires?: number; never?: boolean; note?: string }>(
    agents,
    {
      name: "rotate",
      description: "issue another token for the agent of this one, which ends after the overlap",
      example: "llm-mailbox agents rotate 0123456789abcdef --overlap 10m",
      set: (command) =>
        lasting(
          command
            .addArgument(new Argument("<token-id>", "as agents tokens lists it"))
            .addOption(
              new Option("--overlap <time>", "how long the old one still holds (1h)")
                .argParser(timeUpTo(90))
                .default(3_600_000, "1h"),
            ),
        ),
    },
    async ({ words: [id], switches }) => (await import("./tokens.js")).rotateToken(id!, switches),
  );
  add<Switches>(
    agents,
    {
      name: "revoke",
      description: "end a token, or with --agent all of an agent, in every process within a second",
      example: "llm-mailbox agents revoke 0123456789abcdef",
      set: (command) => command.addArgument(new Argument("[token-id]", "as agents tokens lists it")),
    },
    async ({ words: [id], switches }) => (await import("./tokens.js")).revokeToken(id, switches),
  );
  add<Switches & { expires?: number; never?: boolean; note?: string }>(
    agents,
    {
      name: "recover",
      description: "end every token of an agent and issue another, when one is lost or known to others",
      example: "llm-mailbox agents recover reviewer > reviewer.token",
      set: (command) => lasting(command.addArgument(name())),
    },
    async ({ words: [agent], switches }) => (await import("./tokens.js")).recoverAgent(agent!, switches),
  );
  add<Switches & { reset?: boolean }>(
    agents,
    {
      name: "roles",
      description: "show or set what an agent that proves its name may without a grant",
      example: "llm-mailbox agents roles watcher observer",
      set: (command) =>
        command
          .addArgument(name())
          .addArgument(new Argument("[role...]", `some of ${roles.join(", ")}`))
          .option("--reset", "what any agent may"),
    },
    async ({ words, switches }) => (await import("./tokens.js")).agentRoles(words, switches),
  );
}

function addQueues(program: Command): void {
  const queues = add<Switches>(
    program,
    {
      name: "queues",
      description: "list queues with what waits in each and who works on it",
      example: "llm-mailbox queues",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./queues.js")).listQueues(switches),
  );
  add<Switches & { claimSeconds?: number }>(
    queues,
    {
      name: "create",
      description: "open a queue before its first message",
      example: "llm-mailbox queues create reviewers",
      set: (command) =>
        command
          .addArgument(new Argument("<name>", "reviewers, or queue:reviewers"))
          .addOption(
            new Option(
              "--claim-seconds <seconds>",
              "how long a job stays with whoever took it (900)",
            ).argParser(countUpTo(86_400, 1)),
          ),
    },
    async ({ words: [name], switches }) => (await import("./queues.js")).createQueue(name!, switches),
  );
}

function addTopics(program: Command): void {
  const name = (): Argument => new Argument("<topic>", "such as builds.ci");
  const withSettings = (command: Command): Command =>
    command
      .addArgument(name())
      .option("--retention <time>", "how long messages are kept, such as 12h or 7d")
      .option("--retention-count <count>", "how many messages are kept")
      .option("--retention-bytes <count>", "how many bytes of messages are kept")
      .option("--max-subscribers <count>", "how many agents may follow")
      .option("--publishers <names>", "agents that may publish, separated by commas, or everyone")
      .option("--readers <names>", "agents that may read and follow, separated by commas, or everyone")
      .addHelpText(
        "after",
        "\nThe word inherit takes a setting back, so that the topic above decides again.",
      );
  const topics = add<Switches>(
    program,
    {
      name: "topics",
      description: "list topics with what was published, who follows, and what is kept",
      example: "llm-mailbox topics",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./topics.js")).listTopics(switches),
  );
  add<Switches>(
    topics,
    {
      name: "create",
      description: "create a topic that stays although nobody uses it",
      example: "llm-mailbox topics create builds.ci --retention 2d",
      set: withSettings,
    },
    async ({ words: [topic], switches }) => (await import("./topics.js")).createTopic(topic!, switches),
  );
  add<Switches>(
    topics,
    {
      name: "set",
      description: "change what holds for a topic, and for those below it that set nothing themselves",
      example: "llm-mailbox topics set builds --max-subscribers 50 --publishers ci,release",
      set: withSettings,
    },
    async ({ words: [topic], switches }) => (await import("./topics.js")).setTopic(topic!, switches),
  );
  add<Switches & { force?: boolean }>(
    topics,
    {
      name: "delete",
      description: "delete a topic with its history; refused while somebody follows it",
      example: "llm-mailbox topics delete builds.old --force",
      set: (command) =>
        command
          .addArgument(name())
          .option("--force", "although it is followed; followers keep what they have received"),
    },
    async ({ words: [topic], switches }) => (await import("./topics.js")).deleteTopic(topic!, switches),
  );
  add<Switches & { limit: number; before?: string }>(
    topics,
    {
      name: "history",
      description: "show what was published to a topic, newest last",
      example: "llm-mailbox topics history builds.ci --limit 50",
      set: (command) =>
        command
          .addArgument(name())
          .addOption(limitOption(20))
          .option("--before <place>", "only older ones: a message id, or what the last page ended with"),
    },
    async ({ words: [topic], switches }) => (await import("./topics.js")).topicHistory(topic!, switches),
  );
}

function addLocks(program: Command): void {
  const locks = add<Switches>(
    program,
    {
      name: "locks",
      description: "list who holds and who waits for what",
      example: "llm-mailbox locks --json",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./locks.js")).listAllLocks(switches),
  );
  add<Switches & { limit: number; before?: string }>(
    locks,
    {
      name: "forced",
      description: "list what was taken by force, from whom, by whom and why, newest first",
      example: "llm-mailbox locks forced --limit 50",
      set: (command) =>
        command
          .addOption(limitOption(20))
          .option("--before <lock-id>", "only older ones: what the last page ended with"),
      isList: true,
    },
    async ({ switches }) => (await import("./locks.js")).listTaken(switches),
  );
  add<Switches & { reason: string }>(
    locks,
    {
      name: "release",
      description: "take a lock, or a place in a queue, from whoever has it; recorded with the reason",
      example: "llm-mailbox locks release lk-7f3k9x2m4q8z --reason 'its agent hangs'",
      set: (command) =>
        command
          .addArgument(new Argument("<lock-id>", "as llm-mailbox locks lists it"))
          .requiredOption("--reason <text>", "why; the operator's own words"),
    },
    async ({ words: [id], switches }) => (await import("./locks.js")).releaseByForce(id!, switches),
  );
  add<Switches>(
    locks,
    {
      name: "verify",
      description: "tell whether a fencing token is good for a resource now; status 1 when it is not",
      example: "llm-mailbox locks verify customer:123 1790000000000000",
      set: (command) =>
        command
          .addArgument(new Argument("<resource>", "a name, a path or a pattern"))
          .addArgument(new Argument("<token>", "as acquire_lock told it")),
    },
    async ({ words: [resource, token], switches }) =>
      (await import("./locks.js")).verifyLock(resource!, token!, switches),
  );
}

function addApprovals(program: Command): void {
  const withId = (command: Command): Command =>
    command.addArgument(new Argument("<id>", "as llm-mailbox approvals lists it"));
  const withComment = (command: Command): Command =>
    withId(command).option("--comment <text>", "why, in your own words; whoever asked reads it");
  const approvals = add<Switches>(
    program,
    {
      name: "approvals",
      description: "list what agents ask a person about, and wait for",
      example: "llm-mailbox approvals --json",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./approvals.js")).listWaiting(switches),
  );
  add<Switches & { all?: boolean; limit?: number }>(
    approvals,
    {
      name: "list",
      description: "list what waits for a decision, or everything that is kept",
      example: "llm-mailbox approvals list --all",
      set: (command) => command.option("--all", "also what is decided, expired or used"),
    },
    async ({ switches }) => (await import("./approvals.js")).listWaiting(switches),
  );
  add<Switches>(
    approvals,
    {
      name: "show",
      description: "show one request with all its arguments, and what was decided",
      example: "llm-mailbox approvals show ap-7f3k9x2m4q8z",
      set: withId,
    },
    async ({ words: [id], switches }) => (await import("./approvals.js")).showApproval(id!, switches),
  );
  add<Switches & { edit?: string; comment?: string }>(
    approvals,
    {
      name: "approve",
      description: "approve what was asked, or with --edit the same with other arguments",
      example: "llm-mailbox approvals approve ap-7f3k9x2m4q8z --comment 'after the backup'",
      set: (command) =>
        withComment(command).option("--edit <file>", "a JSON object: all arguments, as they are to be used"),
    },
    async ({ words: [id], switches }) => (await import("./approvals.js")).approve(id!, switches),
  );
  add<Switches & { comment?: string }>(
    approvals,
    {
      name: "reject",
      description: "reject what was asked",
      example: "llm-mailbox approvals reject ap-7f3k9x2m4q8z --comment 'not in production'",
      set: withComment,
    },
    async ({ words: [id], switches }) => (await import("./approvals.js")).reject(id!, switches),
  );
  add<Switches & { for: string }>(
    approvals,
    {
      name: "link",
      description: "make a link by which one approver decides one request once, in a browser",
      example: "llm-mailbox approvals link ap-7f3k9x2m4q8z --for carol",
      set: (command) =>
        withId(command).requiredOption(
          "--for <name>",
          "the approver; whoever has the link decides as that name",
        ),
    },
    async ({ words: [id], switches }) => (await import("./approvals.js")).link(id!, switches),
  );
  add<Switches>(
    approvals,
    {
      name: "answer",
      description: "answer with a text in place of a decision; nothing is approved by it",
      example: "llm-mailbox approvals answer ap-7f3k9x2m4q8z 'which of the two tables?'",
      set: (command) => withId(command).addArgument(new Argument("<text>", "your own words")),
    },
    async ({ words: [id, text], switches }) => (await import("./approvals.js")).answer(id!, text!, switches),
  );
}

function addGuard(program: Command): void {
  const withManner = (command: Command): Command =>
    command
      .addOption(
        new Option("--on-conflict <what>", "when another agent has reserved a file")
          .choices(["refuse", "warn"])
          .default("refuse"),
      )
      .addOption(
        new Option("--store-away <what>", "when the store or server cannot be asked")
          .choices(["allow", "refuse"])
          .default("allow"),
      )
      .option("--prefix <name>", "put before each path, where several repositories share a namespace")
      .addOption(
        new Option(
          "--token <resource=token>",
          "refuse unless this fencing token still holds it, several times for several; or LLM_MAILBOX_GUARD_TOKENS",
        ).argParser((one: string, before: readonly string[] = []) => [...before, one]),
      );
  const guard: Command = add<Switches>(
    program,
    {
      name: "guard",
      description: "keep off files that another agent has reserved, in hooks of git and of clients",
      isList: true,
    },
    async (): Promise<void> => guard.help(),
  );
  add<GuardSwitches>(
    guard,
    {
      name: "pre-commit",
      description: "before a commit: refuse it when a file that it changes is reserved by another agent",
      example: "llm-mailbox guard pre-commit --agent reviewer",
      set: (command) => withServer(withManner(withJson(command))),
    },
    async ({ switches }) => (await import("./guard.js")).guardCommit(switches),
  );
  add<GuardSwitches & { take?: boolean; leaseSeconds: number; session?: string }>(
    guard,
    {
      name: "edit",
      description:
        "before a client edits a file: refuse when another agent has reserved it; reads the hook's JSON",
      example: "llm-mailbox guard edit --agent reviewer --take",
      set: (command) =>
        withServer(withManner(command))
          .option("--take", "reserve the file for the client's session, until guard stop")
          .addOption(
            new Option("--lease-seconds <seconds>", "with --take: how long, unless it is edited again")
              .argParser(countUpTo(86_400, 1))
              .default(900),
          )
          .option("--session <name>", "the client's session, instead of the one the hook tells"),
    },
    async ({ switches }) => (await import("./guard.js")).guardEdit(switches),
  );
  add<Switches & ServerSwitches & { session?: string }>(
    guard,
    {
      name: "stop",
      description:
        "when the client's turn is over: give back what guard edit --take reserved; reads the hook's JSON",
      example: "llm-mailbox guard stop --agent reviewer",
      set: (command) =>
        withServer(command).option("--session <name>", "the session, instead of the one the hook tells"),
    },
    async ({ switches }) => (await import("./guard.js")).guardStop(switches),
  );
}

function addState(program: Command): void {
  const key = (): Argument => new Argument("<key>", "such as plan/owner");
  const state: Command = add<Switches>(
    program,
    {
      name: "state",
      description: "look at and change what agents keep in shared state",
      isList: true,
    },
    async (): Promise<void> => state.help(),
  );
  add<Switches & { limit: number }>(
    state,
    {
      name: "list",
      description: "list entries in the order of their keys",
      example: "llm-mailbox state list plan/",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("[prefix]", "only keys that begin so"))
          .addOption(limitOption(100)),
    },
    async ({ words: [prefix], switches }) => (await import("./state.js")).listState(prefix, switches),
  );
  add<Switches>(
    state,
    {
      name: "get",
      description: "show the value that is kept under a key",
      example: "llm-mailbox state get plan/owner",
      set: (command) => withJson(command).addArgument(key()),
    },
    async ({ words: [name], switches }) => (await import("./state.js")).getState(name!, switches),
  );
  add<Switches & { expectedVersion?: number; ttl?: number; delete?: boolean }>(
    state,
    {
      name: "put",
      description: "write what is kept under a key, or delete it",
      example: "llm-mailbox state put plan/owner '\"alice\"' --expected-version 0",
      set: (command) =>
        withJson(command)
          .addArgument(key())
          .addArgument(new Argument("[value]", "JSON, other text becomes a string; - for standard input"))
          .addOption(
            new Option("--expected-version <version>", "only over this version; 0: only if new").argParser(
              countUpTo(Number.MAX_SAFE_INTEGER, 0),
            ),
          )
          .addOption(new Option("--ttl <seconds>", "gone after so long").argParser(countUpTo(31_536_000, 1)))
          .option("--delete", "delete the entry"),
    },
    async ({ words: [name, value], switches }) =>
      (await import("./state.js")).putState(name!, value, switches),
  );
  add<Switches>(
    state,
    {
      name: "history",
      description: "show the versions of a key that are kept, with who wrote them, the newest first",
      example: "llm-mailbox state history plan/owner",
      set: (command) => withJson(command).addArgument(key()),
    },
    async ({ words: [name], switches }) => (await import("./state.js")).stateHistory(name!, switches),
  );
}

function addBudgets(program: Command): void {
  const budgets = add<Switches>(
    program,
    {
      name: "budgets",
      description: "list limits with what is used, held and left; with --agent those that concern one agent",
      example: "llm-mailbox budgets --agent reviewer",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./budgets.js")).listAllBudgets(switches),
  );
  add<Switches & { day?: string }>(
    budgets,
    {
      name: "figures",
      description:
        "compare what each agent estimated, settled and was reported to cost on a day, and mark what is off",
      example: "llm-mailbox budgets figures --day 2026-11-25",
      set: (command) => withJson(command).option("--day <day>", "a day of UTC (today)"),
    },
    async ({ switches }) => (await import("./budgets.js")).showFigures(switches),
  );
  add<Switches>(
    budgets,
    {
      name: "import",
      description:
        "add costs that a billing export or OpenTelemetry reports, each once; --agent for those that name none",
      example: "llm-mailbox budgets import costs.jsonl",
      set: (command) =>
        withJson(command).addArgument(new Argument("<file>", "lines of JSON, see docs/guides/budgets.md")),
    },
    async ({ words: [file], switches }) => (await import("./budgets.js")).importReports(file!, switches),
  );
}

function addDeadLetters(program: Command): void {
  const ids = (): Argument => new Argument("[ids...]", "ids of messages");
  const chosen = (command: Command): Command =>
    command
      .addArgument(ids())
      .option("--all", "every dead letter, of --mailbox or of all")
      .option("--mailbox <name>", "only in this mailbox: an agent, or queue:NAME");
  const dead = add<Switches & { limit: number }>(
    program,
    {
      name: "dead-letters",
      description: "list what was given up, in all mailboxes or in one, latest first",
      example: "llm-mailbox dead-letters queue:builds",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("[mailbox]", "an agent, or queue:NAME"))
          .usage("[options] [command] [mailbox]")
          .addOption(limitOption(50)),
    },
    async ({ words: [mailbox], switches }) => (await import("./dead-letters.js")).listDead(mailbox, switches),
  );
  add<Switches>(
    dead,
    {
      name: "inspect",
      description: "show one dead letter whole",
      example: "llm-mailbox dead-letters inspect 1kq0x3v9a2-0a1b2c3d4e5f6",
      set: (command) => command.addArgument(new Argument("<id>", "id of the message")),
    },
    async ({ words: [id], switches }) => (await import("./dead-letters.js")).inspectDead(id!, switches),
  );
  add<Switches & { all?: boolean; mailbox?: string }>(
    dead,
    {
      name: "requeue",
      description: "put dead letters back as if newly sent",
      example: "llm-mailbox dead-letters requeue --all --mailbox queue:builds",
      set: chosen,
    },
    async ({ words, switches }) => (await import("./dead-letters.js")).requeueDead(words, switches),
  );
  add<Switches & { all?: boolean; mailbox?: string; yes?: boolean }>(
    dead,
    {
      name: "purge",
      description: "remove dead letters for good",
      example: "llm-mailbox dead-letters purge --all --yes",
      set: (command) => chosen(command).option("--yes", "with --all: do it"),
    },
    async ({ words, switches }) => (await import("./dead-letters.js")).purgeDead(words, switches),
  );
}

function addBlocks(program: Command): void {
  const chosen = (command: Command): Command =>
    command
      .addArgument(new Argument("<sender>", "the name of an agent"))
      .requiredOption("--mailbox <name>", "whose mailbox: an agent, or queue:NAME");
  const blocks = add<Switches>(
    program,
    {
      name: "blocks",
      description: "list which mailboxes refuse which senders",
      example: "llm-mailbox blocks",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./blocks.js")).listBlocks(switches),
  );
  add<Switches & { mailbox: string }>(
    blocks,
    {
      name: "add",
      description: "have a mailbox refuse what a sender sends from now on",
      example: "llm-mailbox blocks add chatterbox --mailbox planner",
      set: chosen,
    },
    async ({ words: [sender], switches }) => (await import("./blocks.js")).addBlock(sender!, switches),
  );
  add<Switches & { mailbox: string }>(
    blocks,
    {
      name: "remove",
      description: "have a mailbox accept a sender again",
      example: "llm-mailbox blocks remove chatterbox --mailbox planner",
      set: chosen,
    },
    async ({ words: [sender], switches }) => (await import("./blocks.js")).removeBlock(sender!, switches),
  );
}

function addAudit(program: Command): void {
  const audit: Command = add<Switches>(
    program,
    { name: "audit", description: "show what was decided about each call, and prove it", isList: true },
    async (): Promise<void> => audit.help(),
  );
  add<Switches & { checkpoints?: string }>(
    audit,
    {
      name: "verify",
      description: "find an edited, missing, moved or added row among the sealed ones",
      example: "llm-mailbox audit verify --checkpoints /backup/default.checkpoints",
      set: (command) =>
        withJson(command).option("--checkpoints <file>", "a copy of the checkpoints that was kept elsewhere"),
    },
    async ({ switches }) => (await import("./audit.js")).verifyAudit(switches),
  );
  add<
    Switches & {
      action?: string;
      resource?: string;
      outcome?: string;
      since?: string;
      until?: string;
      limit: number;
    }
  >(
    audit,
    {
      name: "query",
      description: "list decisions, newest first; --agent for those about one agent",
      example: "llm-mailbox audit query --agent planner --outcome deny --since 2026-11-20",
      set: (command) =>
        withJson(command)
          .option("--action <action>", "such as mailbox.send, or mailbox.* for all of a room")
          .option("--resource <name>", "alice, queue:reviews, topic:builds.ci")
          .option("--outcome <outcome>", "allow, deny, refuse, or a code such as mailbox.full")
          .option("--since <time>", "not before this time")
          .option("--until <time>", "not after this time")
          .addOption(limitOption(50)),
    },
    async ({ switches }) => (await import("./audit.js")).queryAuditLog(switches),
  );
  add<Switches>(
    audit,
    {
      name: "export",
      description: "write every sealed row as a line of JSON, oldest first",
      example: "llm-mailbox audit export > audit.jsonl",
    },
    async ({ switches }) => (await import("./audit.js")).exportAuditLog(switches),
  );
}

function addGrants(program: Command): void {
  const asked = (command: Command): Command =>
    withJson(command)
      .addArgument(new Argument("<who>", "an agent, role:NAME, or * for everybody"))
      .addArgument(new Argument("<action>", "publish, follow, send, read, an action by its name, or *"))
      .addArgument(
        new Argument(
          "<resource>",
          "alice, queue:NAME, topic:PATTERN, lock:PATTERN, state:PATTERN, everyone, agent:*, queue:*, or *",
        ),
      );
  const expiring = (command: Command): Command =>
    asked(command).option("--expires <time>", "until when, from now: 30m, 12h, 7d (until it is removed)");
  const grants = add<Switches>(
    program,
    {
      name: "grants",
      description: "list what was allowed or denied to whom, beyond what their roles may",
      example: "llm-mailbox grants",
      set: withJson,
      isList: true,
    },
    async ({ switches }) => (await import("./grants.js")).listGrants(switches),
  );
  for (const effect of ["allow", "deny"] as const)
    add<Switches & { expires?: string }>(
      grants,
      {
        name: effect,
        description:
          effect === "allow"
            ? "allow an agent or a role something that its role may not"
            : "deny an agent or a role something; a deny wins over every allow",
        example:
          effect === "allow"
            ? "llm-mailbox grants allow crier send everyone --expires 1d"
            : "llm-mailbox grants deny role:agent publish 'topic:releases.**'",
        set: expiring,
      },
      async ({ words, switches }) => (await import("./grants.js")).addGrant(effect, words, switches),
    );
  add<Switches>(
    grants,
    {
      name: "remove",
      description: "take back what was allowed or denied",
      example: "llm-mailbox grants remove g0a1b2c3",
      set: (command) => withJson(command).addArgument(new Argument("<id>", "as grants lists it")),
    },
    async ({ words: [id], switches }) => (await import("./grants.js")).removeGrant(id!, switches),
  );
  add<Switches>(
    grants,
    {
      name: "test",
      description: "say whether somebody may do something, why, and what would change it; does nothing",
      example: "llm-mailbox grants test bob publish topic:builds.ci",
      set: asked,
    },
    async ({ words, switches }) => (await import("./grants.js")).testGrant(words, switches),
  );
}

function addPolicy(program: Command): void {
  const file = (): Argument => new Argument("<file>", "a rule set in YAML; - for standard input");
  const version = (): Argument =>
    new Argument("[version]", "as policy history lists it").argParser(countUpTo(Number.MAX_SAFE_INTEGER, 0));
  const withNote = (command: Command): Command =>
    withJson(command)
      .option("--note <text>", "why, kept with the version")
      .addOption(
        new Option(
          "--over <version>",
          "the version this was made from; refused when another is in force by now",
        ).argParser(countUpTo(Number.MAX_SAFE_INTEGER, 0)),
      );
  const policy: Command = add<Switches>(
    program,
    {
      name: "policy",
      description: "try, change and explain the rules that agents ask before a step",
      isList: true,
    },
    async (): Promise<void> => policy.help(),
  );
  add<PolicyHookSwitches>(
    policy,
    {
      name: "hook",
      description:
        "answer a client that is about to call a tool of its own, by the rules; reads the event on standard input",
      example: "llm-mailbox policy hook claude-code --agent coder     in a PreToolUse hook",
      set: (command) =>
        command
          .addArgument(new Argument("<client>", "whose hook it is").choices(["claude-code"]))
          .option("--ask", "leave what needs a person to the client's user")
          .option("--closed", "refuse what cannot be decided, as while the store is away")
          .option(
            "--root <folder>",
            "tell paths relative to this folder; else to the repository of each file",
          ),
    },
    async ({ switches }) => (await import("./policy-hook.js")).policyHook(switches),
  );
  add<ValidateSwitches>(
    policy,
    {
      name: "validate",
      description: "check a rule set, and warn of what takes no effect; nothing is changed",
      example: "llm-mailbox policy validate rules.yaml",
      set: (command) =>
        withJson(command)
          .addArgument(file())
          .option("--offline", "leave out what depends on which agents are on record; no store is asked"),
    },
    async ({ words: [path], switches }) =>
      (await import("./policy-validate.js")).validateRules(path!, switches),
  );
  add<Switches>(
    policy,
    {
      name: "test",
      description: "run the tests of a rule set; nothing is changed",
      example: "llm-mailbox policy test rules.yaml",
      set: (command) => withJson(command).addArgument(file()),
    },
    async ({ words: [path], switches }) => (await import("./policy-test.js")).testRules(path!, switches),
  );
  add<Switches>(
    policy,
    {
      name: "diff",
      description:
        "say what a rule set changes of another, or of what is in force, by rule, limit, counter and setting",
      example: "llm-mailbox policy diff 6 rules.yaml",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("<a>", "a file, - or a version"))
          .addArgument(
            new Argument(
              "[b]",
              "the same: what B changes of A; without it, what A changes of what is in force",
            ),
          ),
    },
    async ({ words: [a, b], switches }) => (await import("./policy-diff.js")).diffRuleSets(a!, b, switches),
  );
  add<PutSwitches>(
    policy,
    {
      name: "put",
      description: "put a rule set into force in every process, as a new version",
      example: "llm-mailbox policy put rules.yaml --note 'juniors may deploy to staging' --over 7",
      set: (command) => withNote(command).option("--force", "although tests of it fail").addArgument(file()),
    },
    async ({ words: [path], switches }) => (await import("./policy-versions.js")).putRules(path!, switches),
  );
  add<Switches>(
    policy,
    {
      name: "show",
      description: "show the rules in force, or an earlier version, as they were put",
      example: "llm-mailbox policy show 3 > rules.yaml",
      set: (command) => withJson(command).addArgument(version()),
    },
    async ({ words: [number], switches }) =>
      (await import("./policy-versions.js")).showRules(numberOf(number), switches),
  );
  add<Switches>(
    policy,
    {
      name: "history",
      description: "list the versions that are kept, with who put them and why, the newest first",
      example: "llm-mailbox policy history",
      set: withJson,
    },
    async ({ switches }) => (await import("./policy-versions.js")).rulesHistory(switches),
  );
  add<PutSwitches>(
    policy,
    {
      name: "rollback",
      description: "put what an earlier version said into force again, as a new version",
      example: "llm-mailbox policy rollback 3 --note 'version 4 stopped the nightly build'",
      set: (command) =>
        withNote(command).addArgument(
          new Argument("<version>", "as policy history lists it; 0 for what held before any").argParser(
            countUpTo(Number.MAX_SAFE_INTEGER, 0),
          ),
        ),
    },
    async ({ words: [number], switches }) =>
      (await import("./policy-versions.js")).rollbackRules(Number(number), switches),
  );
  add<ExplainSwitches>(
    policy,
    {
      name: "explain",
      description: "say what would be decided, by which rules and why not by others; nothing is counted",
      example: `llm-mailbox policy explain file.delete prod/a --agent bob --context '{"risk":"high"}'`,
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("<action>", "such as file.delete"))
          .addArgument(new Argument("[resource]", "such as prod/a"))
          .option("--context <json>", "what the agent would say: cost, risk, arguments and whatever else")
          .option("--facts <json>", "role, team and labels, instead of those that are recorded of the agent")
          .option("--rules <file>", "by the rules of this file, instead of those in force"),
    },
    async ({ words: [action, resource], switches }) =>
      (await import("./policy-explain.js")).explainPolicy(action!, resource, switches),
  );
  add<DecisionSwitches>(
    policy,
    {
      name: "decisions",
      description:
        "list what was decided, newest first, and what rules in shadow would have said; --agent for one agent",
      example: "llm-mailbox policy decisions --shadow --since 7d",
      set: (command) =>
        withJson(command)
          .option("--action <action>", "such as file.delete")
          .option("--shadow", "only what rules and limits in shadow would have decided otherwise")
          .addOption(
            new Option("--since <time>", "only the last 90s, 10m, 1h or 30d").argParser(timeUpTo(3_650)),
          ),
    },
    async ({ switches }) => (await import("./policy-decisions.js")).listDecisions(switches),
  );
  add<Switches & { since?: number }>(
    policy,
    {
      name: "replay",
      description: "decide what was decided lately by another rule set, and say what would change",
      example: "llm-mailbox policy replay rules.yaml --since 7d",
      set: (command) =>
        withJson(command)
          .addArgument(file())
          .addOption(
            new Option("--since <time>", "only the last 90s, 10m, 1h or 30d").argParser(timeUpTo(3_650)),
          ),
    },
    async ({ words: [path], switches }) => (await import("./policy-replay.js")).replayRules(path!, switches),
  );
}

/** Arguments come as words, whatever was made of them. */
function numberOf(word: string | undefined): number | undefined {
  return word === undefined ? undefined : Number(word);
}

function addAttachments(program: Command): void {
  add<Switches & { contentType?: string }>(
    program,
    {
      name: "attach",
      description:
        "upload a file for an agent, and print the id that it passes in attachments of send_message",
      example: "llm-mailbox attach report.pdf --agent planner",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("<file>", "a file of at most 16 MiB"))
          .option("--content-type <type>", "such as text/csv (application/octet-stream)"),
    },
    async ({ words: [path], switches }) => (await import("./attach.js")).attach(path!, switches),
  );
  const attachment: Command = add<Switches>(
    program,
    {
      name: "attachment",
      description: "take files out of messages",
      isList: true,
    },
    async (): Promise<void> => attachment.help(),
  );
  add<Switches & { output?: string; force?: boolean }>(
    attachment,
    {
      name: "save",
      description: "save a file that a message carries, for the agent that received or sent the message",
      example:
        "llm-mailbox attachment save 1kq0x3v9a2-0a1b2c3d4e5f6 at-1kq0x3v8zz-0f6e5d4c3b2a1 --agent reviewer",
      set: (command) =>
        withJson(command)
          .addArgument(new Argument("<message-id>", "the message that carries it"))
          .addArgument(new Argument("<attachment-id>", "the id the message names"))
          .option("-o, --output <file>", "where to, or - for standard output (its own name, here)")
          .option("--force", "replace a file that is there"),
    },
    async ({ words: [message, id], switches }) =>
      (await import("./attachment.js")).saveAttachment(message!, id!, switches),
  );
}

function addHelp(program: Command): void {
  program
    .command("help")
    .description("say more about a command")
    .argument("[command...]", "such as check, or topics set")
    .action((words: readonly string[]) => {
      let about = program;
      for (const word of words) {
        const next = about.commands.find((command) => command.name() === word);
        if (!next) refuseWord(about, word);
        about = next;
      }
      about.help();
    });
}

function add<Given>(
  parent: Command,
  { name, description, example, set, isList }: Entry,
  action: (call: { readonly words: readonly string[]; readonly switches: Given }) => Promise<void>,
): Command {
  const command = parent.command(name).description(description);
  set?.(command);
  if (isList) command.usage("[options] [command]").argument("[command...]");
  if (example) command.addHelpText("after", `\nExample:\n  ${example}`);
  command.action(async () => {
    const words = command.processedArgs.flat().filter((word): word is string => word !== undefined);
    if (isList && words.length > 0) refuseWord(command, words[0]!);
    await action({ words, switches: command.optsWithGlobals() as Given });
  });
  return command;
}

function refuseWord(group: Command, word: string): never {
  const known = group.commands.map((command) => command.name()).filter((name) => name !== "supervise");
  const before = group.parent ? `${group.name()} ` : "";
  const meant = nearest(word, known);
  const hint = meant
    ? `Did you mean ${before}${meant}?`
    : `There is: ${known.join(", ") || "nothing below it"}`;
  group.error(`error: unknown command '${before}${word}'\n(${hint})`);
}

function withJson(command: Command, text = "JSON, for programs"): Command {
  return command.option("--json", text);
}

function withServer(command: Command): Command {
  return command
    .option("--server <url>", "a server that owns the store, instead of one here, or LLM_MAILBOX_SERVER")
    .option("--plain-http", "to a server on another machine without TLS, or LLM_MAILBOX_PLAIN_HTTP=1");
}

function limitOption(standard: number): Option {
  return new Option("--limit <count>", "how many at most").argParser(countUpTo(10_000, 1)).default(standard);
}

function oneMoreRole(text: string, before: readonly Role[] = []): readonly Role[] {
  const role = roles.find((one) => one === text);
  if (!role) throw new InvalidArgumentError(`The roles are ${roles.join(", ")}.`);
  return before.includes(role) ? before : [...before, role];
}

/** Milliseconds of what a person typed, such as 90s, 10m, 1h or 30d. */
function timeUpTo(mostDays: number): (text: string) => number {
  const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return (text) => {
    const [, count, unit] = /^(\d{1,9})(s|m|h|d)$/.exec(text) ?? [];
    const ms = Number(count) * (units[unit ?? ""] ?? Number.NaN);
    if (!(ms > 0 && ms <= mostDays * 86_400_000))
      throw new InvalidArgumentError(`It is a time such as 90s, 10m, 1h or 30d, at most ${mostDays}d.`);
    return ms;
  };
}

function countUpTo(most: number, least: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,16}$/.test(text) || Number(text) > most || Number(text) < least)
      throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
    return Number(text);
  };
}
