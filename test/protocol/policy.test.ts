import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connectStdio, type Era, eras, type TestClient } from "./clients.js";

/** The executable as it is built, each agent a process of its own, all on the store of one data directory. */
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "mailbox-policy-"));
const env = {
  PATH: process.env.PATH!,
  LLM_MAILBOX_DATA_DIR: dataDir,
  LLM_MAILBOX_ENGINE: "embedded",
  LLM_MAILBOX_ENGINE_IDLE_SECONDS: "2",
  LLM_MAILBOX_LOG_LEVEL: "error",
};
const clients: TestClient[] = [];

beforeAll(() => {
  const file = join(dataDir, "rules.yaml");
  writeFileSync(
    file,
    `version: 1
unknown: allow
vocabulary: { file.delete: [rm, unlink] }
limits:
  - { id: spend, of: cost, actions: ["llm.*"], per: agent, most: 10, window: 366d }
  - { id: emails, of: calls, actions: [email.send], per: agent, most: 1, window: 366d, guidance: put them into one }
rules:
  - { id: keep, actions: [file.delete], effect: deny, reason: nothing is deleted here., guidance: move it to attic/ }
  - { id: careful, actions: [mailbox.send], resources: [press], effect: allow, obligations: [redact] }
  - { id: seen, actions: [email.send], effect: allow, obligations: [redact, "notify watcher"] }
`,
  );
  execFileSync(process.execPath, [main, "policy", "put", file], { env });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function agent(era: Era, name = `anna-${randomBytes(6).toString("hex")}`): Promise<TestClient> {
  const client = await connectStdio(era, {
    command: process.execPath,
    args: [main, "stdio", "--agent", name],
    env,
  });
  clients.push(client);
  return client;
}

describe.each(eras)("an agent that speaks %s, before a step", (era) => {
  it("is told what it may, why not and what to do instead", async () => {
    const { call } = await agent(era);
    const denied = await call("check_policy", { action: "file.delete", resource: "prod/a" });
    expect(denied).toMatchObject({ isError: false });
    expect(denied.text.split("\n").slice(0, 2)).toEqual([
      "deny: do not do it",
      "rule keep: nothing is deleted here. Instead: move it to attic/",
    ]);
    expect((await call("check_policy", { action: "file.read" })).text).toMatch(/^allow/);
    expect((await call("check_policy", { action: "rm" })).text).toMatch(
      /^deny: do not do it.*\nno rule knows this action; near it: file\.delete\. Ask again under the name that fits$/s,
    );
    expect((await call("check_policy", { resource: "x" })).text).toMatch(
      /^input\.invalid: action is missing/,
    );
  });

  it("reserves, settles and sees what is left", async () => {
    const { call } = await agent(era);
    const reserved = await call("check_policy", { action: "llm.call", reserve: 6, idempotency_key: "k" });
    const lines = reserved.text.split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "allow",
      expect.stringMatching(/^spend: 4 of 10 left until \S+Z \(0 used, 6 held\)$/),
    ]);
    expect(lines[2]).toMatch(/^reserved 6: settle_reservation rs-\S{16} with what it did cost, by \S+Z$/);
    const id = /rs-\S{16}/.exec(reserved.text)![0];
    expect((await call("check_policy", { action: "llm.call", reserve: 6, idempotency_key: "k" })).text).toBe(
      `replayed: ${reserved.text}`,
    );
    expect((await call("check_policy", { action: "llm.call", reserve: 5 })).text).toMatch(
      /^deny: do not do it\nlimit spend: .*\nexceeded: spend: 4 of 10 left until /,
    );
    expect(
      (await call("check_policy", { action: "llm.call", reserve: 0, context: { cost: 4 } })).text,
    ).toContain("\nnothing is held of it, as reserve 0 asks: others may spend it first");
    const settled = await call("settle_reservation", { reservation_id: id, cost: 7.5 });
    expect(settled.text).toMatch(
      /^settled with 7\.5 of 6 reserved\n1\.5 more than was reserved, charged all the same: .*\nspend: 2\.5 of 10 left until \S+Z$/,
    );
    expect((await call("settle_reservation", { reservation_id: id, cost: 1 })).text).toMatch(
      /^budget\.already_settled: rs-\S{16} was settled with 7\.5 already/,
    );
    const status = (await call("my_status", {})).text;
    expect(status).toMatch(/^budget spend: 2\.5 of 10 left until \S+Z$/m);
    expect(status).toMatch(/^budget emails: 1 of 1 calls left until \S+Z$/m);
  });

  it("is told its duties with the reply of one of our own tools, once", async () => {
    const { call } = await agent(era);
    const send = (to: string) =>
      call("send_message", { to: [to], body: `news of ${randomBytes(4).toString("hex")}` });
    const line = "policy: with mailbox.send you have to: redact";
    expect((await send("press")).text.split("\n").at(-1)).toBe(line);
    expect((await send("carol")).text).not.toContain("policy:");
    expect((await send("press")).text.split("\n").at(-1)).toBe(line);
  });

  it("is told its duties, and whoever a rule names is told of it by mail", async () => {
    const [{ call }, watcher] = await Promise.all([agent(era), agent(era, "watcher")]);
    const allowed = await call("check_policy", { action: "email.send", resource: "list\u202e" });
    expect(allowed.text).toMatch(
      /^allow\nrule seen: .*\nemails: 0 of 1 calls left until \S+Z\nwith it, you have to: redact$/,
    );
    const { text } = await watcher.call("read_inbox", { wait_seconds: 20 });
    expect(text).toMatch(/from postmaster to watcher/);
    expect(text).toMatch(
      /anna-\S{12} \(unverified\) asked about email\.send a resource that is not shown here: allow, by rule seen/,
    );
    expect((await call("check_policy", { action: "email.send" })).text).toMatch(
      /^deny: do not do it\nlimit emails: .* Instead: put them into one\nexceeded: emails: 0 of 1 calls left/,
    );
  });
});
