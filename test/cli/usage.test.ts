import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.js";
import { spawnWith } from "./command-line.js";

const run = (...args: string[]) => spawnWith({}, ...args);

describe("what is typed", () => {
  it("wrongly for a command is answered with the nearest one and status 2", async () => {
    const { status, out, err } = await run("chek");
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toBe("llm-mailbox: unknown command 'chek'\n(Did you mean check?)\n");
  });

  it("wrongly below a command is answered alike", async () => {
    const [create, history, nothing] = await Promise.all([
      run("queues", "creat", "builds"),
      run("help", "topics", "histroy"),
      run("topics", "xyzzy"),
    ]);
    expect(create).toMatchObject({
      status: 2,
      err: expect.stringContaining("(Did you mean queues create?)"),
    });
    expect(history).toMatchObject({
      status: 2,
      err: expect.stringContaining("Did you mean topics history?"),
    });
    expect(nothing).toMatchObject({
      status: 2,
      err: expect.stringContaining("(There is: create, set, delete, history)"),
    });
  });

  it("wrongly for an option, a value or a missing word ends with status 2 and one line", async () => {
    const [option, value, missing] = await Promise.all([
      run("agents", "--jsn"),
      run("tail", "--agent", "bob", "-n", "many"),
      run("recall", "--sender", "bob"),
    ]);
    expect(option).toMatchObject({ status: 2, err: expect.stringContaining("(Did you mean --json?)") });
    expect(value).toMatchObject({ status: 2, err: expect.stringContaining("whole number from 0 to 1000") });
    expect(missing).toMatchObject({ status: 2, err: expect.stringContaining("'message-id'") });
  });

  it("as a setting that is malformed or unknown names it, what is allowed, and ends with status 2", async () => {
    const [flag, variable] = await Promise.all([
      run("agents", "--namespace", "A b"),
      spawnWith({ LLM_MAILBOX_NAMESPCE: "x" }, "agents"),
    ]);
    expect(flag).toMatchObject({
      status: 2,
      err: expect.stringMatching(
        /^llm-mailbox: config\.invalid: --namespace \(LLM_MAILBOX_NAMESPACE\) is malformed/,
      ),
    });
    expect(variable).toMatchObject({
      status: 2,
      err: expect.stringContaining("did you mean LLM_MAILBOX_NAMESPACE?"),
    });
  });

  it("without a command shows what there is, on standard error, with status 2", async () => {
    const { status, out, err } = await run();
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toContain("Commands:");
    expect(err).not.toContain("supervise");
  });

  it("as help prints it on standard output with status 0", async () => {
    const [all, one, version] = await Promise.all([
      run("help"),
      run("help", "dead-letters", "purge"),
      run("--version"),
    ]);
    expect(all).toMatchObject({ status: 0, out: expect.stringContaining("dead-letters"), err: "" });
    expect(one).toMatchObject({
      status: 0,
      out: expect.stringContaining("llm-mailbox dead-letters purge --all --yes"),
    });
    expect(version).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

describe("each command", () => {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  const commands = buildProgram("1.0.0")
    .commands.flatMap(all)
    .filter((command) => !["supervise", "help"].includes(command.name()));
  const path = (command: Command): string =>
    command.parent?.parent ? `${path(command.parent)} ${command.name()}` : command.name();

  it("is one of those that are looked at here", () => {
    expect(commands.map(path)).toEqual(
      expect.arrayContaining(["check", "doctor", "demo", "queues create", "topics history", "tail"]),
    );
  });

  it.each(commands.map((command) => [path(command), command] as const))(
    "%s says what it does, takes the settings and shows a way to call it",
    (name, command) => {
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.description()).not.toBe("");
      for (const flag of ["--agent", "--data-dir", "--redis-url", "--namespace"])
        expect(help).toContain(flag);
      // A group that only holds commands shows those instead.
      if (command.commands.length === 0) expect(help).toContain(`Example:\n  llm-mailbox ${name}`);
    },
  );
});
