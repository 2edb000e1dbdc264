import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { uploadAttachment } from "../../src/mailbox/index.js";
import { attachmentKeys } from "../../src/redis/index.js";
import { type MailOffice, openMail } from "../mailbox/open-mail.js";
import { connectStdio, eras } from "../protocol/clients.js";
import { describeOnEachStore } from "../stores/index.js";
import { runForBytes } from "./command-line.js";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

interface Ended {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

describeOnEachStore("the command line for attachments", (store) => {
  let office: MailOffice;
  let dir: string;
  beforeAll(async () => {
    office = await openMail(store().url);
  });
  afterAll(() => office.close());
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "mailbox-cli-"));
    return () => rmSync(dir, { recursive: true });
  });

  const env = (): Record<string, string> => ({
    PATH: process.env.PATH!,
    HOME: process.env.HOME!,
    REDIS_URL: store().url,
    LLM_MAILBOX_ALLOW_UNVERIFIED: "1",
    LLM_MAILBOX_NAMESPACE: office.namespace,
  });
  const run = async (...args: string[]): Promise<Ended> => {
    const { status, out, err } = await runForBytes(dir, "", env(), ...args);
    return { status, out, err: err.toString() };
  };
  const recorded = async (agent: string): Promise<unknown> =>
    JSON.parse((await run("audit", "query", "--agent", agent, "--json")).out.toString());
  const json = ({ out }: Ended): Record<string, unknown> => JSON.parse(out.toString());

  it("records an upload, and a refused one, also of an agent that was never here", async () => {
    writeFileSync(join(dir, "a.txt"), "a");
    await run("attach", "a.txt", "--agent", "new");
    const upload = { action: "mailbox.send", resource: "attachment" };
    expect(await recorded("new")).toMatchObject([
      { action: "mailbox.attach", resource: expect.stringMatching(/^at-/), outcome: "allow" },
      { ...upload, outcome: "allow", because: "role agent" },
    ]);
    await run("agents", "stop", "halted", "--reason", "x");
    const refused = await run("attach", "a.txt", "--agent", "halted");
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining("was stopped by the operator") });
    expect(await recorded("halted")).toMatchObject([
      { ...upload, outcome: "deny", because: "access.stopped" },
    ]);
  });

  it("uploads a file for its sender and saves it for its reader, byte for byte", async () => {
    const [alice] = [await office.as("alice"), await office.as("bob")];
    const content = randomBytes(1_000_000);
    writeFileSync(join(dir, "build.log"), content);
    const attached = await run("attach", "build.log", "--agent", "alice", "--content-type", "text/x-log");
    expect(attached).toMatchObject({ status: 0, err: expect.stringContaining("build.log, 1000000 bytes") });
    const id = attached.out.toString().trim();
    const sent = await alice.send("bob", "the log", { attachments: [id] });

    const taken = await run("attachment", "save", sent.message_id, id, "--agent", "bob");
    expect(taken).toMatchObject({ status: 2, err: expect.stringContaining("build.log is there already") });
    const saved = await run(
      "attachment",
      "save",
      sent.message_id,
      id,
      "--agent",
      "bob",
      "-o",
      "got",
      "--json",
    );
    expect(json(saved)).toMatchObject({ id, path: "got", bytes: 1_000_000, content_type: "text/x-log" });
    expect(readFileSync(join(dir, "got")).equals(content)).toBe(true);
    writeFileSync(join(dir, "got"), "older");
    await run("attachment", "save", sent.message_id, id, "--agent", "bob", "-o", "got", "--force");
    expect(readFileSync(join(dir, "got")).equals(content)).toBe(true);
    const piped = await run("attachment", "save", sent.message_id, id, "--agent", "alice", "-o", "-");
    expect(piped.out.equals(content)).toBe(true);
    expect(readdirSync(dir).sort()).toEqual(["build.log", "got"]);
  });

  it("saves for nobody who has no message that carries it, and leaves nothing behind", async () => {
    const alice = await office.as("alice");
    writeFileSync(join(dir, "a.txt"), "x");
    const { id, sha256 } = json(await run("attach", "a.txt", "--agent", "alice", "--json"));
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    const sent = await alice.send("bob", "for bob", { attachments: [String(id)] });
    const refused = await run("attachment", "save", sent.message_id, String(id), "--agent", "eve", "-o", "b");
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining("mailbox.not_yours") });
    expect(readdirSync(dir)).toEqual(["a.txt"]);
  });

  it("gives a file whose sender chose a hostile name a harmless one", async () => {
    const alice = await office.as("alice");
    const hostile = await uploadAttachment(office.context, alice.caller, {
      name: "..\u202e.bashrc; rm -rf $HOME\n",
      content: [Buffer.from("x")],
    });
    const sent = await alice.send("bob", "x", { attachments: [hostile.id] });
    const saved = await run("attachment", "save", sent.message_id, hostile.id, "--agent", "bob", "--json");
    expect(json(saved).path).toMatch(/^[a-z0-9][\w.-]*$/i);
    expect(readdirSync(dir)).toEqual([json(saved).path]);
  });

  it("says what is missing before it opens anything", async () => {
    expect(await run("attach", "absent.txt", "--agent", "alice")).toMatchObject({
      status: 1,
      err: expect.stringContaining("absent.txt cannot be read (ENOENT)"),
    });
    expect(await run("attach", ".", "--agent", "alice")).toMatchObject({ status: 1 });
    writeFileSync(join(dir, "a.txt"), "x");
    expect(await run("attach", "a.txt")).toMatchObject({
      status: 2,
      err: expect.stringContaining("--agent"),
    });
    expect(await run("attachment", "safe", "a", "b")).toMatchObject({
      status: 2,
      err: expect.stringContaining("attachment save"),
    });
  });

  it("lets an agent attach a file of the shared folder by name, and shows its reader name, size and id", async () => {
    const [era] = eras;
    const folder = join(dir, "shared");
    mkdirSync(folder);
    writeFileSync(join(folder, "report.txt"), "the report");
    writeFileSync(join(dir, "outside.txt"), "not shared");
    const shared = { ...env(), LLM_MAILBOX_FILES_DIR: folder, LLM_MAILBOX_LOG_LEVEL: "error" };
    const agent = (name: string) =>
      connectStdio(era!, { command: process.execPath, args: [main, "stdio", "--agent", name], env: shared });
    const [writer, reader] = await Promise.all([agent("writer"), agent("proofreader")]);
    try {
      const send = (file: string) =>
        writer.call("send_message", { to: "proofreader", body: "please read", attachments: [file] });
      expect((await send("file:../outside.txt")).text).toMatch(/^attachment.outside/);
      expect((await send("file:report.txt")).text).toMatch(/^sent /);
      const { text } = await reader.call("read_inbox", {});
      const [, id] = /attachment (at-\S+): report\.txt, 10 bytes/.exec(text)!;
      const message = /\b[0-9a-z]{8,13}-[0-9a-z]{13}\b/.exec(text.replaceAll(id!, ""))![0];
      const saved = await run("attachment", "save", message, id!, "--agent", "proofreader", "-o", "-");
      expect(saved.out.toString()).toBe("the report");
    } finally {
      await Promise.all([writer.close(), reader.close()]);
    }
  });

  it("saves a file that was published to a topic, for whoever may read the topic", async () => {
    const [era] = eras;
    const agent = (name: string) =>
      connectStdio(era!, {
        command: process.execPath,
        args: [main, "stdio", "--agent", name],
        env: { ...env(), LLM_MAILBOX_LOG_LEVEL: "error" },
      });
    await run("topics", "create", "releases", "--retention", "2h", "--readers", "follower,publisher");
    writeFileSync(join(dir, "notes.md"), "# 1.0");
    const { id } = json(await run("attach", "notes.md", "--agent", "publisher", "--json"));
    const [publisher, follower] = await Promise.all([agent("publisher"), agent("follower")]);
    try {
      await follower.call("subscribe_topic", { topic: "releases" });
      await publisher.call("send_message", { to: "topic:releases", body: "out now", attachments: [id] });
      const { text } = await follower.call("read_inbox", { wait_seconds: 10 });
      expect(text).toContain(`attachment ${id}: notes.md, 5 bytes`);
      const message = /\b[0-9a-z]{8,13}-[0-9a-z]{13}\b/.exec(text.replaceAll(String(id), ""))![0];
      const save = (name: string) =>
        run("attachment", "save", message, String(id), "--agent", name, "-o", "-");
      expect((await save("follower")).out.toString()).toBe("# 1.0");
      expect((await save("publisher")).out.toString()).toBe("# 1.0");
      expect((await save("outsider")).err).toContain("mailbox.not_yours");
      const keys = attachmentKeys(office.namespace, String(id));
      const endsInMs = Number(await office.store.command("PTTL", keys.parts));
      expect(endsInMs / 3_600_000).toBeGreaterThan(25.9);
      expect(endsInMs / 3_600_000).toBeLessThanOrEqual(26);
    } finally {
      await Promise.all([publisher.close(), follower.close()]);
    }
  });
});
