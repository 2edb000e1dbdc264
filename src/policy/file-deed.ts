import { type PathSense, type Places, stepsOn } from "./places.js";
import type { ToolStep } from "./tool-step.js";

/** What a command does to files that it names, as it names them. */
export interface FileDeed extends PathSense {
  readonly action: "file.write" | "file.move" | "file.delete" | "directory.delete";
  readonly paths: readonly string[];
}

/** The same as rules are asked about it. */
export function stepsOfDeeds(deeds: readonly FileDeed[], places: Places): ToolStep[] {
  return deeds.flatMap(({ action, paths: given, ...sense }) => {
    const paths = action === "file.write" ? given.filter((path) => !isStream.test(path)) : given;
    return paths.length === 0 ? [] : stepsOn(action, paths, places, sense);
  });
}

/** What is called like a file, and keeps nothing of what is written to it. */
const isStream = /^\/dev\/(?:null|stdout|stderr|tty|fd\/\d+)$/;
