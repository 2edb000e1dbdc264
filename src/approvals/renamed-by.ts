import { digest } from "../redis/index.js";
import { isObject, type Question } from "./question.js";

/**
 * The first argument that says what a request is about and that an edit makes say something else: the rules were asked
 * about the resource as it was named, and of the edited step nobody would ask them.
 *
 * It is the argument from which the resource was taken, where whoever asked knows it; else each that is the resource, or
 * ends in it as a path does, which has to stay what it is; and each that speaks of it, which has to speak of it still.
 *
 * @param naming the argument from which the resource was taken
 */
export function renamedBy(
  { resource, arguments: before }: Question,
  after: Readonly<Record<string, unknown>>,
  naming: string | undefined,
): string | undefined {
  if (naming !== undefined)
    return digest([before[naming] ?? null]) === digest([after[naming] ?? null]) ? undefined : naming;
  if (resource === "") return undefined;
  return Object.keys(before).find((name) => !namesStill(resource, before[name], after[name]));
}

function namesStill(resource: string, before: unknown, after: unknown): boolean {
  if (typeof before === "string") {
    if (isResource(before, resource)) return after === before;
    return !speaksOf(before, resource) || (typeof after === "string" && speaksOf(after, resource));
  }
  if (Array.isArray(before))
    return before.every((one, n) => namesStill(resource, one, Array.isArray(after) ? after[n] : undefined));
  if (!isObject(before)) return true;
  return Object.entries(before).every(([name, one]) =>
    namesStill(resource, one, isObject(after) ? after[name] : undefined),
  );
}

/** Itself, or a path or an address that ends in it. */
function isResource(text: string, resource: string): boolean {
  const own = text.trim().replaceAll("\\", "/");
  return own === resource || own.endsWith(resource.startsWith("/") ? resource : `/${resource}`);
}

/** By its whole name, not as a part of a longer one. */
function speaksOf(text: string, resource: string): boolean {
  for (let at = text.indexOf(resource); at >= 0; at = text.indexOf(resource, at + 1))
    if (isEdge(text[at - 1]) && isEdge(text[at + resource.length])) return true;
  return false;
}

function isEdge(letter: string | undefined): boolean {
  return letter === undefined || !/[\p{L}\p{N}_-]/u.test(letter);
}
