/** The resources and templates as clients list them. */
export const resourceList = [
  {
    uri: "mailbox://inbox",
    name: "inbox",
    title: "Inbox",
    description: "Counts and envelopes of what waits for you; takes nothing. Can be subscribed to.",
    mimeType: "application/json",
  },
  {
    uri: "mailbox://topics",
    name: "topics",
    title: "Topics",
    description: "Topics you may read. Can be subscribed to.",
    mimeType: "application/json",
  },
  {
    uri: "mailbox://locks",
    name: "locks",
    title: "Locks",
    description: "Who holds and who waits for what. Can be subscribed to.",
    mimeType: "application/json",
  },
  {
    uri: "mailbox://agents",
    name: "agents",
    title: "Agents",
    description: "Who is there, and what they say of themselves. Can be subscribed to.",
    mimeType: "application/json",
  },
];

export const templateList = [
  {
    uriTemplate: "mailbox://topics/{topic}{?before,limit}",
    name: "topic",
    title: "History of a topic",
    description: "A page of messages, newest last. Can be subscribed to.",
    mimeType: "text/plain",
  },
  {
    uriTemplate: "mailbox://state/{+key}",
    name: "state",
    title: "Entry of shared state",
    description: "What is kept under a key, with its version. Can be subscribed to.",
    mimeType: "text/plain",
  },
  {
    uriTemplate: "mailbox://threads/{id}",
    name: "thread",
    title: "Thread",
    description:
      "What you received of a thread, oldest first. What you sent of it: search_messages with thread and sent.",
    mimeType: "text/plain",
  },
  {
    uriTemplate: "mailbox://messages/{id}",
    name: "message",
    title: "Message",
    description: "One message; for its sender with the state at each recipient.",
    mimeType: "text/plain",
  },
];
