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
  - { id: person, actions: [x.ask], effect: require_approval }
  - { id: plans, actions: [state.write], resources: ["state:plan/**"], effect: require_approval }
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
      /^deny: do not do it\nlimit spend: .*\. Instead: Take a step that costs less, or wait until \S+Z, when its window is over\nexceeded: spend: 4 of 10 left until /,
    );
    expect((await call("check_policy", { action: "llm.call", reserve: 11 })).text).toContain(
      "Instead: Take a step of at most 10: no window lets more pass\n",
    );
    expect(
      (await call("check_policy", { action: "llm.call", reserve: 0, context: { cost: 4 } })).text,
    ).toContain("\nnothing is held of it, as reserve 0 asks: others may spend it first");
    const settled = await call("settle_reservation", { reservation_id: id, cost: 7.5 });
    expect(settled.text).toMatch(
      /^settled with 7\.5 of 6 reserved\n1\.5 more than was reserved, charged all the same: .*\nspend: 2\.5 of 10 left until \S+Z$/,
    );
    const over = await call("check_policy", { action: "llm.call", reserve: 1 });
    const [next] = /rs-\S{16}/.exec(over.text)!;
    expect((await call("settle_reservation", { reservation_id: next, cost: 4 })).text).toMatch(
      /\nspend: 0 of 10 left until \S+Z \(11\.5 used\)$/,
    );
    expect((await call("settle_reservation", { reservation_id: id, cost: 1 })).text).toMatch(
      /^budget\.already_settled: rs-\S{16} was settled with 7\.5 already/,
    );
    const status = (await call("my_status", {})).text;
    expect(status).toMatch(/^budget spend: 0 of 10 left until \S+Z \(11\.5 used\)$/m);
    expect(status).toMatch(/^budget emails: 1 of 1 calls left until \S+Z$/m);
  });

  it("is told of each approval what comes next", async () => {
    const { call } = await agent(era);
    const decide = (...words: string[]): void => {
      execFileSync(process.execPath, [main, "approvals", ...words], { env });
    };
    const ask = async (n: number): Promise<readonly [id: string, text: string]> => {
      const { text } = await call("check_policy", { action: "x.ask", context: { arguments: { n } } });
      return [/ap-\w{12}/.exec(text)![0], text];
    };
    const look = async (approval_id: string): Promise<string> =>
      (await call("check_policy", { approval_id })).text;
    const [first, asked] = await ask(1);
    expect(asked).toMatch(
      /once it is approved, repeat the call for the step unchanged, or with the arguments that it shows$/,
    );
    decide("approve", first);
    expect(await look(first)).toMatch(
      /^approved, and not used yet\napproval \S+ holds until .*, once: repeat the call for the step unchanged$/,
    );
    expect((await ask(1))[1]).toMatch(/^allow, by approval \S+, which is used up now$/m);
    expect(await look(first)).toMatch(/used, by the one call that it was for; ask about the step again/);
    const [second] = await ask(2);
    decide("reject", second, "--comment", "not today");
    expect(await look(second)).toMatch(/rejected; do not take the step, and ask again only for another one/);
    const [third] = await ask(3);
    decide("answer", third, "use another");
    expect(await look(third)).toMatch(/answered instead of approved; do as the answer says/);
    const [fourth] = await ask(4);
    const edited = join(dataDir, "edited.json");
    writeFileSync(edited, JSON.stringify({ n: 5 }));
    decide("approve", fourth, "--edit", edited);
    expect((await ask(4))[1]).toMatch(
      /holds until \S+Z for other arguments than these, once: call check_policy with approval_id \S+ and nothing else, which shows them/,
    );
    expect(await look(fourth)).toMatch(
      /for other arguments, once: repeat the call for the step with those below/,
    );
    expect((await ask(5))[1]).toMatch(/^allow, by approval/);
  });

  it("needs no check before one of our own tools, and one that it asked for serves that", async () => {
    const { call } = await agent(era);
    const given = { key: `plan/${randomBytes(4).toString("hex")}`, value: "1" };
    const step = { action: "state.write", resource: `state:${given.key}`, context: { arguments: given } };
    const asked = (await call("check_policy", step)).text;
    expect(asked).toMatch(
      /put_state asks for itself when it is called: call it, and wait for the approval it names/,
    );
    execFileSync(process.execPath, [main, "approvals", "approve", /ap-\w{12}/.exec(asked)![0]], { env });
    expect((await call("check_policy", step)).text).toMatch(
      /^allow, by approval \S+, which the call of the tool uses up$/m,
    );
    expect(await call("put_state", given)).toMatchObject({ isError: false });
    expect((await call("put_state", { ...given, value: "2" })).text).toMatch(/^policy\.approval_required/);
    expect((await call("check_policy", { action: "lock.acquire", resource: "a" })).text).toContain(
      "acquire_lock asks the rules itself when it is called, so it needs no check_policy before it",
    );
    expect((await call("check_policy", { action: "send_message" })).text).toContain(
      "near it: mailbox.send, email.send. Ask again under the name that fits\nfor mailbox.send call send_message itself: it asks the rules when it is called",
    );
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
