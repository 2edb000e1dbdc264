import { expect, it } from "vitest";
import { parseResource } from "../../src/mcp/resources/resource-uri.js";

it.each([
  ["mailbox://inbox", { kind: "inbox" }],
  ["mailbox://topics", { kind: "topics" }],
  ["mailbox://agents", { kind: "agents" }],
  ["mailbox://topics/builds.ci", { kind: "topic", name: "builds.ci" }],
  [
    "mailbox://topics/builds.ci?before=m1&limit=20",
    { kind: "topic", name: "builds.ci", before: "m1", limit: 20 },
  ],
  ["mailbox://topics/builds?limit=999", { kind: "topic", name: "builds", limit: 50 }],
  ["mailbox://threads/m1", { kind: "thread", id: "m1" }],
  ["mailbox://state/plan", { kind: "state", key: "plan" }],
  ["mailbox://state/Plan/owner", { kind: "state", key: "plan/owner" }],
  ["mailbox://state/plan%2Fowner", { kind: "state", key: "plan/owner" }],
  ["mailbox://messages/m-1_2.3", { kind: "message", id: "m-1_2.3" }],
])("%s is a resource", (uri, name) => {
  expect(parseResource(uri)).toEqual(name);
});

it.each([
  "",
  "mailbox://",
  "mailbox://inbox/alice",
  "mailbox://messages",
  "mailbox://messages/",
  "mailbox://messages/a/b",
  "mailbox://messages/%00",
  "mailbox://messages/%zz",
  "mailbox://messages/a}b",
  "mailbox://topics/builds.*",
  "mailbox://topics/..",
  "mailbox://state",
  "mailbox://state/",
  "mailbox://state/a//b",
  "mailbox://state/a/%2e%2e/b",
  "mailbox://state/a%00",
  "mailbox://state/a?x=1",
  "mailbox://topics/builds?limit=0",
  "mailbox://topics/builds?before=%0a",
  "file:///etc/passwd",
  `mailbox://topics/${"a".repeat(700)}`,
])("%s is none", (uri) => {
  expect(parseResource(uri)).toBeUndefined();
});
