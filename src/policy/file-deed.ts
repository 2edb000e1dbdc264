import type { PathSense } from "./places.js";

/** What a command does to files that it names, as it names them. */
export interface FileDeed extends PathSense {
  readonly action: "file.write" | "file.move" | "file.delete" | "directory.delete";
  readonly paths: readonly string[];
}
