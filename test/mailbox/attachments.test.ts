import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  confirmAttachments,
  referenceAttachments,
  releaseAttachments,
} from "../../src/mailbox/attachment-references.js";
import {
  type Attachment,
  beginAttachment,
  finishAttachment,
  MailContext,
  purgeDeadLetters,
  putAttachmentPart,
  readAttachment,
  type StoredMessage,
  sendMessage,
  type Upload,
  uploadAttachment,
} from "../../src/mailbox/index.js";
import { newMessageId } from "../../src/mailbox/message-id.js";
import { flushOutbox } from "../../src/mailbox/outbox.js";
import { openSharedFile } from "../../src/mailbox/shared-folder.js";
import { attachmentKeys, mailboxKeys } from "../../src/redis/index.js";
import { describeOnEachStore } from "../stores/index.js";
import { type Clerk, type MailOffice, openMail } from "./open-mail.js";

const mib = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function bytesOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!(await check())) {
    if (Date.now() > giveUpAt) throw new Error("it never came true");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describeOnEachStore("attachments", (store) => {
  let office: MailOffice;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "mailbox-files-"));
    office = await openMail(store().url, {}, { filesDir: folder });
  });
  afterAll(async () => {
    await office.close();
    rmSync(folder, { recursive: true });
  });

  const upload = (clerk: Clerk, content: Buffer, more: Partial<Upload> = {}, at = office) =>
    uploadAttachment(at.context, clerk.caller, { name: "file.bin", content: [content], ...more });
  const fetch = async (clerk: Clerk, message: string, attachment: string, at = office): Promise<Buffer> =>
    bytesOf((await readAttachment(at.context, clerk.caller, message, attachment)).content);
  const exists = async (id: string, at = office): Promise<boolean> => {
    const keys = attachmentKeys(at.namespace, id);
    const found = await at.store.command("EXISTS", keys.meta, keys.parts, keys.references);
    return Number(found) > 0;
  };
  const endsInMs = async (id: string, at = office): Promise<number> =>
    Number(await at.store.command("PTTL", attachmentKeys(at.namespace, id).meta));
  const bury = async (clerk: Clerk, id: string): Promise<void> => {
    await clerk.read();
    await clerk.ack(id, "reject");
  };

  it("brings a random mebibyte to the reader byte for byte, told by name, size and id", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const content = randomBytes(mib + 17);
    const file = await upload(alice, content, { name: "build/log.bin", sha256: sha256(content) });
    expect(file).toMatchObject({ name: "log.bin", bytes: mib + 17, sha256: sha256(content) });
    const sent = await alice.send("bob", "see the log", { attachments: [file.id] });
    const [message] = (await bob.read()).messages;
    expect(message!.attachments).toEqual([{ id: file.id, name: "log.bin", bytes: mib + 17 }]);
    const opened = await readAttachment(office.context, bob.caller, sent.message_id, file.id);
    expect((await bytesOf(opened.content)).equals(content)).toBe(true);
    expect(opened).toMatchObject({ name: "log.bin", contentType: "application/octet-stream" });
    // The sender has it too, and it stays for as long as the message does.
    expect((await fetch(alice, sent.message_id, file.id)).equals(content)).toBe(true);
    expect(await endsInMs(file.id)).toBe(-1);
  });

  it("takes an empty file, and chunks of any size", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const content = randomBytes(700_001);
    const chunks = [content.subarray(0, 1), content.subarray(1, 600_000), content.subarray(600_000)];
    const odd = await upload(alice, content, { content: chunks });
    const empty = await upload(alice, Buffer.alloc(0));
    const { message_id: id } = await alice.send("bob", "two", { attachments: [odd.id, empty.id, odd.id] });
    expect((await fetch(bob, id, odd.id)).equals(content)).toBe(true);
    expect(await fetch(bob, id, empty.id)).toHaveLength(0);
  });

  it("takes 16 MiB and refuses one byte more, of which nothing stays", async () => {
    const alice = await office.as("alice");
    const content = randomBytes(16 * mib);
    const file = await upload(alice, content);
    expect(file.bytes).toBe(16 * mib);
    const before = await attachmentCount(office);
    await expect(upload(alice, content, { content: [content, Buffer.alloc(1)] })).rejects.toThrow(
      /^attachment.too_large: .*16777216/,
    );
    expect(await attachmentCount(office)).toBe(before);
  });

  it("carries 10 attachments in a message and refuses 11", async () => {
    const alice = await office.as("alice");
    const ids: string[] = [];
    for (let n = 0; n < 11; n += 1) ids.push((await upload(alice, Buffer.from([n]))).id);
    const ten = await alice.send("bob", "ten", { attachments: ids.slice(1) });
    expect(ten.recipients[0]!.state).toBe("stored");
    await expect(alice.send("bob", "eleven", { attachments: ids })).rejects.toThrow(/^attachment.too_many/);
  });

  it("refuses what does not have the announced SHA-256", async () => {
    const alice = await office.as("alice");
    const content = randomBytes(10);
    await expect(upload(alice, content, { sha256: sha256(Buffer.from("else")) })).rejects.toThrow(
      /^attachment.checksum/,
    );
  });

  it("tells the reader, at the end, when the stored bytes are not those that were uploaded", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const content = randomBytes(100);
    const file = await upload(alice, content);
    const { message_id: id } = await alice.send("bob", "damaged", { attachments: [file.id] });
    const keys = attachmentKeys(office.namespace, file.id);
    await office.store.command("HSET", keys.parts, 0, randomBytes(100).toString("base64"));
    await expect(fetch(bob, id, file.id)).rejects.toThrow(/^attachment.damaged/);
    await office.store.command("DEL", keys.parts, keys.meta);
    await expect(fetch(bob, id, file.id)).rejects.toThrow(/^attachment.gone/);
  });

  it("counts what an agent uploads within a day, and what came to nothing not", async () => {
    const small = await openMail(store().url, { uploadBytes: 200_000 });
    try {
      const [alice, bob] = [await small.as("alice"), await small.as("bob")];
      const content = randomBytes(100_000);
      const more = { bytes: content.length };
      await upload(alice, content, more, small);
      await expect(upload(alice, content, { ...more, sha256: "0".repeat(64) }, small)).rejects.toThrow(
        /^attachment.checksum/,
      );
      await upload(alice, content, more, small);
      await expect(upload(alice, Buffer.alloc(0), { bytes: 0 }, small)).rejects.toThrow(
        /^attachment.allowance_spent: you uploaded 200000 bytes within a day, and 200000 are allowed.* 24 h/,
      );
      expect(await upload(bob, content, more, small)).toMatchObject({ bytes: 100_000 });
    } finally {
      await small.close();
    }
  });

  describe("uploaded in several calls", () => {
    it("is the same after parts were put twice and out of order, also after it was finished", async () => {
      const [alice, bob] = [await office.as("alice"), await office.as("bob")];
      const content = randomBytes(600_000);
      const { id, partBytes } = await beginAttachment(office.context, alice.caller, { name: "a" });
      const part = (n: number): Buffer => content.subarray(n * partBytes, (n + 1) * partBytes);
      const put = (n: number) => putAttachmentPart(office.context, alice.caller, id, n, part(n));
      await put(2);
      await put(0);
      await put(0);
      const finish = () =>
        finishAttachment(office.context, alice.caller, id, {
          parts: 3,
          bytes: content.length,
          sha256: sha256(content),
        });
      await expect(finish()).rejects.toThrow(/^attachment.incomplete/);
      await expect(alice.send("bob", "too early", { attachments: [id] })).rejects.toThrow(
        /^attachment.not_ready/,
      );
      await put(1);
      expect(await finish()).toMatchObject({ id, bytes: content.length });
      expect(await finish()).toMatchObject({ id, bytes: content.length });
      expect(await put(1)).toEqual({ bytes: content.length });
      await expect(putAttachmentPart(office.context, alice.caller, id, 1, part(0))).rejects.toThrow(
        /^attachment.finished/,
      );
      const sent = await alice.send("bob", "parts", { attachments: [id] });
      expect((await fetch(bob, sent.message_id, id)).equals(content)).toBe(true);
    });

    it("is not finished when a part changed while it was read back", async () => {
      const alice = await office.as("alice");
      const { id } = await beginAttachment(office.context, alice.caller, { name: "a" });
      const put = (text: string) => putAttachmentPart(office.context, alice.caller, id, 0, Buffer.from(text));
      expect(await put("once")).toEqual({ bytes: 4 });
      expect(await put("first")).toEqual({ bytes: 5 });
      const changing = withStore(office, async (name, args, go) => {
        const answer = await go();
        if (name === "command" && args[0] === "HGET") await put("other");
        return answer;
      });
      const announced = { parts: 1, bytes: 5, sha256: sha256(Buffer.from("first")) };
      await expect(finishAttachment(changing, alice.caller, id, announced)).rejects.toThrow(
        /^attachment.incomplete/,
      );
      await expect(alice.send("bob", "x", { attachments: [id] })).rejects.toThrow(/^attachment.not_ready/);
    });

    it("refuses parts that are empty, too large, or numbered otherwise", async () => {
      const alice = await office.as("alice");
      const { id, partBytes } = await beginAttachment(office.context, alice.caller, { name: "a" });
      const put = (n: number, bytes: number) =>
        putAttachmentPart(office.context, alice.caller, id, n, Buffer.alloc(bytes));
      for (const [n, bytes] of [
        [0, 0],
        [0, partBytes + 1],
        [-1, 1],
        [0.5, 1],
      ] as const)
        await expect(put(n, bytes)).rejects.toThrow(/^input.invalid/);
      await expect(put(100_000, 1)).rejects.toThrow(/^attachment.too_large/);
      expect(await put(0, partBytes)).toEqual({ bytes: partBytes });
    });

    it("is nobody else's to go on with, and nobody else learns that it exists", async () => {
      const [alice, mallory] = [await office.as("alice"), await office.as("mallory")];
      const { id } = await beginAttachment(office.context, alice.caller, { name: "a" });
      const nowhere = id.replace(/.{4}$/, "zzzz");
      for (const asked of [id, nowhere]) {
        const refusal = new RegExp(`^attachment.unknown: you have no attachment ${asked}\\.`);
        const announced = { parts: 0, bytes: 0, sha256: sha256(Buffer.alloc(0)) };
        await expect(
          putAttachmentPart(office.context, mallory.caller, asked, 0, Buffer.from("x")),
        ).rejects.toThrow(refusal);
        await expect(finishAttachment(office.context, mallory.caller, asked, announced)).rejects.toThrow(
          refusal,
        );
        await expect(mallory.send("bob", "stolen", { attachments: [asked] })).rejects.toThrow(refusal);
      }
      for (const hostile of ["", "at-", "}{", "a:b\n", "__proto__", "x".repeat(10_000)])
        await expect(mallory.send("bob", "x", { attachments: [hostile] })).rejects.toThrow(
          /^attachment.unknown: you have no attachment with that id/,
        );
    });
  });

  it("shows a hostile name without its path and with nothing hidden", async () => {
    const alice = await office.as("alice");
    const name = async (given: string) => (await upload(alice, Buffer.from("x"), { name: given })).name;
    expect(await name("../../etc/passwd")).toBe("passwd");
    expect(await name("C:\\temp\\notes.txt")).toBe("notes.txt");
    expect(await name("evil\u202egpj.exe\n")).toBe("evil\\u{202e}gpj.exe\\u{a}");
    expect(await name("dir/")).toBe("file");
    expect(await name("x".repeat(5_000))).toHaveLength(200);
    await expect(upload(alice, Buffer.from("x"), { contentType: "text\nX: y" })).rejects.toThrow(
      /^input.invalid/,
    );
  });

  describe("who may read", () => {
    it("is whoever has a message that carries it, and through that message alone", async () => {
      const [alice, bob, eve] = [await office.as("alice"), await office.as("bob"), await office.as("eve")];
      const file = await upload(alice, Buffer.from("secret"));
      const sent = await alice.send("bob", "with", { attachments: [file.id] });
      const other = await alice.send("eve", "without");
      await expect(fetch(eve, sent.message_id, file.id)).rejects.toThrow(/^mailbox.not_yours/);
      await expect(fetch(eve, "nonsense", file.id)).rejects.toThrow(/^mailbox.not_yours/);
      await expect(fetch(eve, other.message_id, file.id)).rejects.toThrow(/^attachment.not_carried/);
      await expect(fetch(bob, sent.message_id, "at-nonsense")).rejects.toThrow(/^attachment.not_carried/);
      expect(String(await fetch(bob, sent.message_id, file.id))).toBe("secret");
    });

    it("is, of a job, the consumer who was given it", async () => {
      const [alice, one, two] = [
        await office.as("alice"),
        await office.as("worker-1"),
        await office.as("worker-2"),
      ];
      const file = await upload(alice, Buffer.from("work"));
      const sent = await alice.send("queue:files", "do it", { attachments: [file.id] });
      await one.read({ mailbox: "queue:files" });
      expect(String(await fetch(one, sent.message_id, file.id))).toBe("work");
      await expect(fetch(two, sent.message_id, file.id)).rejects.toThrow(/^mailbox.not_yours/);
    });
  });

  describe("gone with the last message", () => {
    it("stays while another mailbox has the message, and goes with the last of them", async () => {
      const [alice, ann, ben] = [await office.as("alice"), await office.as("ann"), await office.as("ben")];
      const file = await upload(alice, Buffer.from("shared"));
      const sent = await alice.send(["ann", "ben"], "both", { attachments: [file.id] });
      const own = attachmentKeys(office.namespace, file.id);
      expect(await office.store.command("ZCARD", own.references)).toBe(2);
      await bury(ann, sent.message_id);
      await bury(ben, sent.message_id);
      expect(await purgeDeadLetters(office.context, office.operator, "ann", [])).toEqual({
        done: 1,
        left: 0,
      });
      expect(String(await fetch(ben, sent.message_id, file.id))).toBe("shared");
      await purgeDeadLetters(office.context, office.operator, "ben", [sent.message_id]);
      expect(await exists(file.id)).toBe(false);
      expect(await office.store.command("HLEN", mailboxKeys(office.namespace, "ben").outbox)).toBe(0);
    });

    it("stays while a later message carries it again", async () => {
      const [alice, ann] = [await office.as("alice"), await office.as("ann")];
      const file = await upload(alice, Buffer.from("again"));
      const first = await alice.send("ann", "first", { attachments: [file.id] });
      const second = await alice.send("ann", "second", { attachments: [file.id] });
      await bury(ann, first.message_id);
      await purgeDeadLetters(office.context, office.operator, "ann", [first.message_id]);
      expect(String(await fetch(ann, second.message_id, file.id))).toBe("again");
    });

    it("goes when the history is trimmed", async () => {
      const short = await openMail(store().url, { historyMs: 50 });
      try {
        const [alice, bob] = [await short.as("alice"), await short.as("bob")];
        const file = await upload(alice, Buffer.from("x"), {}, short);
        await alice.send("bob", "short-lived", { attachments: [file.id] });
        await bob.read();
        await bob.read();
        await until(async () => {
          await bob.read();
          return !(await exists(file.id, short));
        });
      } finally {
        await short.close();
      }
    });

    it("is given up once however many sweep at the same time", async () => {
      const [alice, cleo] = [await office.as("alice"), await office.as("cleo")];
      const file = await upload(alice, Buffer.from("x"));
      const first = await alice.send("cleo", "one", { attachments: [file.id] });
      const second = await alice.send("cleo", "two", { attachments: [file.id] });
      await bury(cleo, first.message_id);
      await Promise.all([
        purgeDeadLetters(office.context, office.operator, "cleo", []),
        flushOutbox(office.context, office.namespace, "cleo"),
        flushOutbox(office.context, office.namespace, "cleo"),
      ]);
      await flushOutbox(office.context, office.namespace, "cleo");
      expect(String(await fetch(cleo, second.message_id, file.id))).toBe("x");
    });
  });

  describe("what is never sent", () => {
    it("goes away by itself, finished or not", async () => {
      const short = await openMail(store().url, { unsentAttachmentMs: 300 });
      try {
        const alice = await short.as("alice");
        const begun = await beginAttachment(short.context, alice.caller, { name: "a" });
        await putAttachmentPart(short.context, alice.caller, begun.id, 0, Buffer.from("x"));
        const file = await upload(alice, Buffer.from("x"), {}, short);
        await until(async () => !(await exists(begun.id, short)) && !(await exists(file.id, short)));
        await expect(alice.send("bob", "late", { attachments: [file.id] })).rejects.toThrow(
          /^attachment.unknown/,
        );
      } finally {
        await short.close();
      }
    });

    it("can be sent again after a refusal, and waits no longer than before", async () => {
      const small = await openMail(store().url, { mailboxMessages: 1 });
      try {
        const alice = await small.as("alice");
        await alice.send("dan", "fills it");
        const file = await upload(alice, Buffer.from("x"), {}, small);
        await expect(alice.send("dan", "refused", { attachments: [file.id] })).rejects.toThrow(
          /^mailbox.full/,
        );
        const endsMs = await endsInMs(file.id, small);
        expect(endsMs).toBeGreaterThan(86_000_000);
        expect(endsMs).toBeLessThanOrEqual(86_400_000);
        const both = await alice.send(["dan", "eli"], "half", { attachments: [file.id] });
        expect(both.recipients.map(({ state }) => state)).toEqual(["refused", "stored"]);
        expect(await small.store.command("ZCARD", attachmentKeys(small.namespace, file.id).references)).toBe(
          1,
        );
        const eli = await small.as("eli");
        expect(String(await fetch(eli, both.message_id, file.id, small))).toBe("x");
      } finally {
        await small.close();
      }
    });

    it("is referenced once when the same send is repeated", async () => {
      const alice = await office.as("alice");
      const file = await upload(alice, Buffer.from("x"));
      const more = { attachments: [file.id], idempotency_key: "once" };
      const first = await alice.send("bob", "same", more);
      expect(await alice.send("bob", "same", more)).toMatchObject({
        message_id: first.message_id,
        replayed: true,
      });
      const many = { attachments: [file.id], idempotency_key: "many" };
      await alice.send(["bob", "eve"], "same", many);
      expect(await alice.send(["bob", "eve"], "same", many)).toMatchObject({ replayed: true });
      const keys = attachmentKeys(office.namespace, file.id);
      expect(await office.store.command("ZCARD", keys.references)).toBe(3);
    });
  });

  describe("a sender that dies", () => {
    const messageTo = (
      to: string,
      from: string,
      file: Pick<Attachment, "id" | "name" | "bytes">,
    ): StoredMessage => {
      const id = newMessageId(Date.now());
      return {
        id,
        from,
        verified: false,
        to,
        sentAt: Date.now(),
        priority: "normal",
        thread: id,
        origin: id,
        contentType: "text/plain",
        body: "x",
        attachments: [{ id: file.id, name: file.name, bytes: file.bytes }],
      };
    };

    it("between reference and insertion leaves nothing for ever", async () => {
      const short = await openMail(store().url, { expiryMs: 300 });
      try {
        const alice = await short.as("alice");
        const file = await upload(alice, Buffer.from("x"), {}, short);
        const message = messageTo("bob", "alice", file);
        await referenceAttachments(short.context, alice.caller, message, ["bob", "eve"]);
        expect(await endsInMs(file.id, short)).toBeGreaterThan(0);
        await until(async () => !(await exists(file.id, short)));
      } finally {
        await short.close();
      }
    });

    it("can keep nothing that is not finished, or another's", async () => {
      const [alice, eve] = [await office.as("alice"), await office.as("eve")];
      const { id } = await beginAttachment(office.context, alice.caller, { name: "a" });
      const unfinished = messageTo("bob", "alice", { id, name: "a", bytes: 0 });
      const keeping = (clerk: Clerk, message: StoredMessage) =>
        referenceAttachments(office.context, clerk.caller, message, ["bob"]);
      await expect(keeping(alice, unfinished)).rejects.toThrow(/^attachment.not_ready/);
      const file = await upload(alice, Buffer.from("x"));
      await expect(keeping(eve, messageTo("bob", "eve", file))).rejects.toThrow(/^attachment.unknown/);
      expect(await office.store.command("ZCARD", attachmentKeys(office.namespace, file.id).references)).toBe(
        0,
      );
    });

    it("and comes back late neither takes away nor keeps for ever what it gave up", async () => {
      const alice = await office.as("alice");
      const file = await upload(alice, Buffer.from("x"));
      const message = messageTo("bob", "alice", file);
      const { context, namespace } = office;
      await referenceAttachments(context, alice.caller, message, ["bob"]);
      await releaseAttachments(context, namespace, "bob", message.id, [file.id], "refused");
      await releaseAttachments(context, namespace, "bob", message.id, [file.id], "gone");
      await confirmAttachments(context, namespace, "bob", message.id, [file.id]);
      const endsMs = await endsInMs(file.id);
      expect(endsMs).toBeGreaterThan(86_000_000);
      expect(endsMs).toBeLessThanOrEqual(86_400_000);
    });

    it("between insertion and confirmation leaves the message with its attachment", async () => {
      const [alice, finn] = [await office.as("alice"), await office.as("finn")];
      const file = await upload(alice, Buffer.from("kept"));
      const dying = withStore(office, (name, args, go) =>
        name === "run" && (args[0] as { name: string }).name === "confirm-attachment"
          ? Promise.reject(new Error("gone"))
          : go(),
      );
      const sent = await sendMessage(dying, alice.caller, {
        to: ["finn"],
        body: "x",
        attachments: [file.id],
      });
      expect(await endsInMs(file.id)).toBeGreaterThan(0);
      // What the sweep of any other process finds: the mailbox is listed, its outbox says what is left to do.
      await office.store.command("ZADD", `{${office.namespace}:dir}:outboxes`, "XX", 1, "finn");
      await office.sweep();
      expect(await endsInMs(file.id)).toBe(-1);
      expect(String(await fetch(finn, sent.message_id, file.id))).toBe("kept");
    });
  });

  it("lasts, in a topic, a day longer than the topic keeps its history", async () => {
    const day = 86_400_000;
    const published: StoredMessage[] = [];
    const topical = await openMail(
      store().url,
      {},
      {
        topicRetentionMs: async (_, topic) => (topic === "builds.ci" ? 2 * day : 0),
        publish: async (_caller, _topic, message) => {
          published.push(message);
          return { state: "stored", id: message.id };
        },
      },
    );
    try {
      const alice = await topical.as("alice");
      const file = await upload(alice, Buffer.from("x"), {}, topical);
      await alice.send("topic:builds.ci", "see", { attachments: [file.id] });
      expect(published).toMatchObject([{ attachments: [{ id: file.id }] }]);
      const endsMs = await endsInMs(file.id, topical);
      expect(endsMs).toBeGreaterThan(3 * day - 60_000);
      expect(endsMs).toBeLessThanOrEqual(3 * day + 1_000);
    } finally {
      await topical.close();
    }
  });

  describe("from the folder the operator shares", () => {
    it("takes a file by its relative name", async () => {
      const [alice, bob] = [await office.as("alice"), await office.as("bob")];
      mkdirSync(join(folder, "reports"), { recursive: true });
      const content = randomBytes(300_000);
      writeFileSync(join(folder, "reports", "q3.pdf"), content);
      const sent = await alice.send("bob", "report", { attachments: ["file:reports/q3.pdf"] });
      const message = (await bob.read()).messages.find(({ id }) => id === sent.message_id)!;
      expect(message.attachments).toMatchObject([{ name: "q3.pdf", bytes: 300_000 }]);
      expect((await fetch(bob, sent.message_id, message.attachments![0]!.id)).equals(content)).toBe(true);
    });

    it("keeps no copy when the message is refused", async () => {
      const alice = await office.as("alice");
      writeFileSync(join(folder, "again.txt"), "x");
      await alice.send("bob", "key", { attachments: ["file:again.txt"], idempotency_key: "folder" });
      const before = await attachmentCount(office);
      await alice.send("bob", "key", { attachments: ["file:again.txt"], idempotency_key: "folder" });
      expect(await attachmentCount(office)).toBe(before);
    });
  });

  it("answers a repeated send as the first although the file is gone since", async () => {
    const [alice, bob] = [await office.as("alice"), await office.as("bob")];
    const name = "soon-gone.txt";
    writeFileSync(join(folder, name), "x");
    const ask = { attachments: [`file:${name}`], idempotency_key: "soon-gone" };
    const first = await alice.send("bob", "see", ask);
    rmSync(join(folder, name));
    expect(await alice.send("bob", "see", ask)).toEqual({ ...first, replayed: true });
    await expect(alice.send("bob", "see this", ask)).rejects.toThrow(/^attachment\.outside/);
    await expect(alice.send("bob", "see", { ...ask, idempotency_key: "other" })).rejects.toThrow(
      /^attachment\.outside/,
    );
    const { messages } = await bob.read({ limit: 20 });
    expect(messages.filter(({ id }) => id === first.message_id)).toHaveLength(1);
  });

  it("takes nothing from any folder when the operator shares none", async () => {
    const closed = await openMail(store().url);
    try {
      const alice = await closed.as("alice");
      await expect(alice.send("bob", "x", { attachments: ["file:a.txt"] })).rejects.toThrow(
        /^attachment.no_folder/,
      );
    } finally {
      await closed.close();
    }
  });
});

/** The same room on a store whose calls something else happens to. */
function withStore(
  office: MailOffice,
  around: (name: string, args: readonly unknown[], go: () => Promise<unknown>) => Promise<unknown>,
): MailContext {
  const store = new Proxy(office.store, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== "run" && name !== "command")
        return typeof value === "function" ? value.bind(target) : value;
      const call = value as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => around(name, args, () => call.apply(target, args));
    },
  });
  return new MailContext({ ...office.context.deps, store, log: () => {} });
}

async function attachmentCount(office: MailOffice): Promise<number> {
  const keys = (await office.store.command("KEYS", `{${office.namespace}:at:*}:meta`)) as string[];
  return keys.length;
}

describe("a file in the shared folder", () => {
  let base: string;
  let folder: string;
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), "mailbox-shared-"));
    folder = join(base, "shared");
    mkdirSync(join(folder, "in"), { recursive: true });
    mkdirSync(join(base, "shared-not"));
    writeFileSync(join(folder, "a.txt"), "inside");
    writeFileSync(join(base, "secret.txt"), "outside");
    writeFileSync(join(base, "shared-not", "b.txt"), "outside");
    symlinkSync(join(base, "secret.txt"), join(folder, "link.txt"));
    symlinkSync(base, join(folder, "up"));
    symlinkSync("../shared-not", join(folder, "sibling"));
    symlinkSync("a.txt", join(folder, "alias.txt"));
    symlinkSync("nowhere", join(folder, "broken"));
    linkSync(join(folder, "a.txt"), join(folder, "in", "hard.txt"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
  });
  afterAll(() => rmSync(base, { recursive: true }));

  const open = async (name: string): Promise<string> => {
    const { file } = await openSharedFile(folder, name);
    try {
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  };

  it("is opened by its name, also through a link that stays inside", async () => {
    expect(await open("a.txt")).toBe("inside");
    expect(await open("in/hard.txt")).toBe("inside");
    expect(await open("alias.txt")).toBe("inside");
  });

  it.each([
    "../secret.txt",
    "in/../../secret.txt",
    "in/../a.txt",
    "./a.txt",
    "/etc/passwd",
    "//etc/passwd",
    "..\\secret.txt",
    "C:\\secret.txt",
    "C:secret.txt",
    "a.txt\0.pdf",
    "",
    ".",
    "..",
    "in",
    "in/",
    "link.txt",
    "up/secret.txt",
    "up/shared/a.txt/../../secret.txt",
    "sibling/b.txt",
    "broken",
    "pipe",
    "absent.txt",
    "a.txt/x",
    "x".repeat(10_000),
  ])("is refused alike when %j is not a regular file inside", async (name) => {
    await expect(open(name)).rejects.toThrow(
      "attachment.outside: no such file in the folder the operator shares. " +
        "Pass a name inside it, relative to it and without .., such as file:report.pdf.",
    );
  });

  it("is read through a way round that ends inside", async () => {
    expect(await open("up/shared/a.txt")).toBe("inside");
  });

  it("is refused when the folder itself is gone", async () => {
    await expect(openSharedFile(join(base, "gone"), "a.txt")).rejects.toThrow(/^attachment.outside/);
  });
});
