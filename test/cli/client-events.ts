/** What clients wrote to the standard input of hooks when they were tried, with other paths and names in it. */
export interface ClientEvent {
  readonly client: "Claude Code 2.1.332" | "Codex 0.169.0";
  readonly event: Readonly<Record<string, unknown>> & { readonly hook_event_name: string };
}

const claude = {
  session_id: "634896d9-341f-4884-b74d-4dcbc8edf8cb",
  transcript_path: "/home/dev/.claude/projects/-srv-shop/634896d9-341f-4884-b74d-4dcbc8edf8cb.jsonl",
  cwd: "/srv/shop",
};
const inTurn = {
  ...claude,
  prompt_id: "f726759f-4756-42e8-bbeb-53fe1e690ea9",
  permission_mode: "default",
  effort: { level: "medium" },
};
const codex = {
  session_id: "01a21544-a4d7-7142-9f46-6072b9b1b8a6",
  turn_id: "01a21544-a524-7902-bace-6b96733e1318",
  transcript_path: "/home/dev/.codex/sessions/2026/11/26/rollout-2026-11-26T00-32-29-01a21544.jsonl",
  cwd: "/srv/shop",
  model: "gpt-5.5",
  permission_mode: "bypassPermissions",
};
const { turn_id: _, ...codexAtStart } = codex;

export const sessionStarts: readonly ClientEvent[] = [
  {
    client: "Claude Code 2.1.332",
    event: { ...claude, hook_event_name: "SessionStart", source: "startup" },
  },
  {
    client: "Codex 0.169.0",
    event: { ...codexAtStart, hook_event_name: "SessionStart", source: "startup" },
  },
];

export const stops: readonly ClientEvent[] = [
  {
    client: "Claude Code 2.1.332",
    event: {
      ...inTurn,
      hook_event_name: "Stop",
      stop_hook_active: false,
      last_assistant_message: "I think I am done",
      background_tasks: [],
      session_crons: [],
    },
  },
  {
    client: "Codex 0.169.0",
    event: {
      ...codex,
      hook_event_name: "Stop",
      stop_hook_active: false,
      last_assistant_message: "I am done",
    },
  },
];

const beforeTool = (tool_name: string, tool_input: object, more: object = {}): ClientEvent => ({
  client: "Claude Code 2.1.332",
  event: {
    ...inTurn,
    hook_event_name: "PreToolUse",
    ...{ tool_name, tool_input, tool_use_id: "toolu_1_0", ...more },
  },
});
const beforeCodexTool = (tool_name: string, tool_input: object): ClientEvent => ({
  client: "Codex 0.169.0",
  event: { ...codex, hook_event_name: "PreToolUse", tool_name, tool_input, tool_use_id: "call_1_0" },
});

/** An event before a tool, what it is in the words of rules, and the files that it changes. */
export const toolEvents: readonly (readonly [
  ClientEvent,
  steps: readonly string[],
  files: readonly string[],
])[] = [
  [
    beforeTool("Edit", {
      ...{ file_path: "/srv/shop/web/login.ts", old_string: "a", new_string: "b", replace_all: false },
    }),
    ["file.write /srv/shop/web/login.ts"],
    ["/srv/shop/web/login.ts"],
  ],
  [
    beforeTool("Write", { file_path: "/srv/shop/notes/a.md", content: "x" }),
    ["file.write /srv/shop/notes/a.md"],
    ["/srv/shop/notes/a.md"],
  ],
  [
    beforeTool("NotebookEdit", {
      ...{ notebook_path: "/srv/shop/web/a.ipynb", cell_id: "c1", new_source: "2" },
    }),
    ["file.write /srv/shop/web/a.ipynb"],
    ["/srv/shop/web/a.ipynb"],
  ],
  [
    beforeTool("Bash", { command: "rm old.txt", description: "Remove old file" }),
    ["shell.run", "file.delete old.txt"],
    [],
  ],
  [
    beforeTool(
      "Bash",
      { command: "echo from sub", description: "sub" },
      {
        ...{ agent_id: "a9fbfa828ba1cdc52", agent_type: "general-purpose" },
      },
    ),
    ["shell.run"],
    [],
  ],
  [
    beforeTool("Monitor", { description: "x", timeout_ms: 5_000, command: "rm a.txt" }),
    ["shell.run", "file.delete a.txt"],
    [],
  ],
  [
    beforeTool("Monitor", { description: "x", timeout_ms: 5_000, ws: { url: "ws://127.0.0.1:9/x" } }),
    ["web.fetch 127.0.0.1:9/x"],
    [],
  ],
  [
    beforeTool("mcp__mailbox__read_inbox", {}, { mcp_server: { name: "mailbox", source: "project" } }),
    ["mcp.mailbox.read_inbox"],
    [],
  ],
  [beforeCodexTool("Bash", { command: "rm old.txt" }), ["shell.run", "file.delete old.txt"], []],
  [
    beforeCodexTool("Bash", {
      command: "apply_patch <<'P'\n*** Begin Patch\n*** Add File: secrets/a.txt\n+hi\n*** End Patch\nP",
    }),
    ["shell.run", "file.write secrets/a.txt"],
    [],
  ],
  [
    beforeCodexTool("apply_patch", {
      command:
        "*** Begin Patch\n*** Add File: secrets/b.txt\n+hi\n*** Update File: upd.txt\n*** Move to: notes/moved.txt\n@@\n-x\n+y\n*** Delete File: gone.txt\n*** End Patch",
    }),
    [
      ...["file.write secrets/b.txt", "file.write upd.txt", "file.write notes/moved.txt"],
      ...["file.delete upd.txt", "file.delete gone.txt"],
    ],
    ["secrets/b.txt", "upd.txt", "notes/moved.txt", "gone.txt"],
  ],
  [beforeCodexTool("mcp__mailbox__read_inbox", {}), ["mcp.mailbox.read_inbox"], []],
];
