import { refuse } from "../errors/index.js";
import { visible } from "./visible.js";

/** What can be locked, in the one form in which it is kept: segments joined by `/`, `*` and `**` as wildcards. */
export type Resource = string & { readonly __resource: unique symbol };

export const maxResources = 16;
export const maxResourceLength = 512;
export const maxSegments = 32;
export const maxAnyDepth = 3;

const wellNamed =
  "a name such as customer:123, a path such as src/auth/login.ts, or a pattern such as src/auth/**";

/**
 * What a caller wants to lock: one thing or several, each once, in an order that does not depend on how they were told.
 *
 * @throws {MailboxError} `lock.resource_invalid`
 */
export function parseResources(given: readonly string[]): readonly Resource[] {
  if (given.length > maxResources)
    refuse("lock.resource_invalid", {
      number: maxResources + 1,
      problem: `one call names at most ${maxResources}`,
      instead: "several calls, or a pattern such as src/auth/** in place of what lies in it",
    });
  const resources = given.map((text, n) => parseResource(text, n + 1));
  return [...new Set(resources)].sort();
}

/**
 * A free name is one segment; with a `/` it is a path. `f`, `/f`, `./f` and `f/../f` are one; case counts. `*` stands
 * for anything within a segment, once, and `**` for any number of segments, also none.
 *
 * @param number which of the caller's resources it is, counted from 1
 */
export function parseResource(given: string, number = 1): Resource {
  const no = (problem: string): never =>
    refuse("lock.resource_invalid", { number, problem, instead: wellNamed });
  const text = given.trim().normalize("NFC");
  if (text.length > maxResourceLength) no(`it has more than ${maxResourceLength} characters`);
  // What a reader does not see would make two names of one.
  if (visible(text) !== text) no("it has characters that cannot be seen");
  const segments: string[] = [];
  for (const segment of text.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      const last = segments.pop();
      if (last === undefined) no("it leads above the root");
      if (last?.includes("*")) no("what .. leaves must not have a wildcard");
      continue;
    }
    if (segment !== "**" && segment.includes("**")) no("** stands for whole segments, as in src/**");
    if (segment.indexOf("*") !== segment.lastIndexOf("*") && segment !== "**")
      no("a segment has at most one *");
    if (segment === "**" && segments.at(-1) === "**") continue;
    segments.push(segment);
  }
  if (segments.length === 0) no("it names nothing");
  if (segments.length > maxSegments) no(`it has more than ${maxSegments} segments`);
  if (segments.filter((segment) => segment === "**").length > maxAnyDepth)
    no(`it has more than ${maxAnyDepth} times **`);
  return segments.join("/") as Resource;
}

export function isResourcePattern(resource: Resource): boolean {
  return resource.includes("*");
}
