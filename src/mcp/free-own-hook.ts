/** What opens a circle of waits in which others wait for what the model's own edits reserved. */
export const freeOwnHook =
  "end your turn, by which your edit hook gives back what it reserved, or release_lock that by its lock_id (in my_status)";
