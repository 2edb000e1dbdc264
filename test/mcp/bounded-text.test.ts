import { describe, expect, it } from "vitest";
import type { FoundMessage, Inbox, SearchResult } from "../../src/mailbox/index.js";
import type { AnyTool, Tool } from "../../src/mcp/define-tool.js";
import { renderReply, replyChars } from "../../src/mcp/reply.js";
import { readInbox } from "../../src/mcp/tools/read-inbox.js";
import { searchMessages } from "../../src/mcp/tools/search-messages.js";

/** What a tool says of an answer, as its client gets it. */
function text(tool: AnyTool, output: Inbox | SearchResult, room = replyChars): string {
  const { say } = tool as unknown as Tool<unknown, unknown>;
  const said = say(output, { input: {}, session: true, room });
  return renderReply(typeof said === "string" ? [said] : said)
    .map((block) => block.text)
    .join("\n");
}

const name = (n: number): string => `agent-${n}`.padEnd(63, "x");

function found(n: number): FoundMessage {
  return {
    id: `hojd${n.toString(36).padStart(6, "0")}-0123456789012`,
    from: name(0),
    verified: false,
    to: [1, 2, 3, 4].map(name).join(","),
    sent_at: "2026-01-01T00:00:00.000Z",
    priority: "urgent",
    thread: "hojdzzzzzz-0123456789012",
    subject: "s".repeat(200),
    lock: { resource: `src/${"directory/".repeat(40)}`, fencing_token: 1_795_744_569_524_513 },
    excerpt: "w".repeat(300),
    states: [1, 2, 3, 4].map((one) => ({ to: name(one), state: "unconfirmed", overdue: true })),
  };
}

describe("a page of found messages", () => {
  it.each([replyChars, 6_000])(
    "names each of them in %i characters, behind which the cursor goes on",
    (room) => {
      const messages = Array.from({ length: 20 }, (_, n) => found(n));
      const said = text(searchMessages, { messages, cursor: "c".repeat(40) }, room);
      expect(said.length).toBeLessThanOrEqual(room);
      for (const { id } of messages) expect(said).toContain(id);
      expect(said).not.toContain("[cut here");
      expect(said).toContain(`cursor: ${"c".repeat(40)}`);
    },
  );

  it("shows all of those that fit, with their texts", () => {
    const messages = [found(1), found(2)];
    const said = text(searchMessages, { messages });
    expect(said.match(/s{200}: w{90}/g)).toHaveLength(2);
    expect(said).not.toContain("no room");
  });
});

describe("what an inbox tells of topics", () => {
  const inbox: Inbox = {
    messages: [],
    unread: 0,
    urgent: 0,
    open: 0,
    reminders: [],
    gaps: Array.from({ length: 8 }, (_, n) => ({
      topic: `builds.t${n}`,
      missed: n + 1,
      until: "2026-01-01T00:00:00.000Z",
    })),
    collapsed: Array.from({ length: 7 }, (_, n) => ({ topic: `news.t${n}`, count: n + 1 })),
    timed_out: false,
  };

  it("is all that was missed and left out, of many topics as a sum", () => {
    const said = text(readInbox, inbox);
    for (let n = 0; n < 5; n++) {
      expect(said).toContain(`topic:builds.t${n}: ${n + 1} message`);
      expect(said).toContain(`topic:news.t${n}: ${n + 1} older message`);
    }
    expect(said).toContain("3 more topics: 21 messages were trimmed before you read them");
    expect(said).toContain("2 more topics: 13 older messages left out");
    const gaps = inbox.gaps.slice(0, 6).map((gap) => ({ ...gap, missed: 1 }));
    expect(text(readInbox, { ...inbox, gaps })).toContain(
      "1 more topic: 1 message was trimmed before you read it",
    );
  });

  it("tells how to go on behind a page of what is open", () => {
    const said = text(readInbox, { ...inbox, next: "open:1:hojd-1" });
    expect(said).toContain("more is open: read_inbox with redeliver: true and after: open:1:hojd-1");
  });
});
