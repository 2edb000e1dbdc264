/**
 * What hooks ask about tools of clients. These names are ours and no model's slip of another, so that every rule set
 * knows them, whether or not it speaks of them.
 */
export const clientActions = [
  "file.read",
  "file.write",
  "file.move",
  "file.delete",
  "directory.delete",
  "shell.run",
  "git.commit",
  "git.push",
  "git.push_force",
  "git.reset_hard",
  "branch.delete",
  "db.delete",
  "db.drop",
  "web.fetch",
  "access.grant",
] as const;

export type ClientAction = (typeof clientActions)[number] | `tool.${string}` | `mcp.${string}`;

/** Whether it is a tool of a client, or of another server that the client uses. */
export function isOfAClient(action: string): boolean {
  return action.startsWith("tool.") || action.startsWith("mcp.");
}
