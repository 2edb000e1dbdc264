import { maxResourceLength, maxSegments, parseResource, type Resource } from "../addresses/index.js";
import { isRefusal } from "../errors/index.js";

/** A file that no lock can be named for, as locks that do not name it can mean it. */
export interface UnnamedFile {
  /** What every lock that means the file overlaps, and perhaps others. */
  readonly around: Resource;
  /** The file's own name, to be compared with what overlaps `around`: of `*` in it nobody can say what it is. */
  readonly name: Resource;
}

/** How a lock can mean a file whose own name no lock can have: too deep, too long, with what cannot be seen, or with a blank at an end. */
export function unnamedFile(path: string): UnnamedFile {
  const segments = path
    .normalize("NFC")
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".");
  const around: string[] = [];
  for (const segment of segments) {
    const known = isNameable(segment) ? segment : "*";
    const isLast = around.length + 1 === segments.length;
    const room = isLast ? 0 : "/**".length;
    if (around.length + 1 + (isLast ? 0 : 1) > maxSegments) break;
    if ([...around, known].join("/").length + room > maxResourceLength) break;
    around.push(known);
  }
  if (around.length < segments.length) around.push("**");
  return {
    around: around.join("/") as Resource,
    name: segments.map((segment) => (segment.includes("*") ? "*" : segment)).join("/") as Resource,
  };
}

function isNameable(segment: string): boolean {
  if (segment.includes("*")) return false;
  try {
    return parseResource(segment) === segment;
  } catch (error) {
    if (isRefusal(error, "lock.resource_invalid")) return false;
    throw error;
  }
}
