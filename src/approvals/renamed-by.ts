import { digest } from "../redis/index.js";
import { isObject, type Question } from "./question.js";

type Values = Readonly<Record<string, unknown>>;

/**
 * The first argument that says what a request is about and that an edit makes another: the rules were asked about the
 * resource as it was named, and of the edited step nobody would ask them.
 *
 * Where the argument from which the resource was taken is known, it is that one. Else it is each in which the resource
 * stands anywhere, or where none has it, a part of its name; these stay as they are, whole, and none is added. Where no
 * resource was named, none is.
 *
 * @param naming the argument from which the resource was taken
 */
export function renamedBy(
  { resource, arguments: before }: Question,
  after: Values,
  naming: string | undefined,
): string | undefined {
  const isAsBefore = (name: string): boolean =>
    digest([own(before, name) ?? null]) === digest([own(after, name) ?? null]);
  if (naming !== undefined && Object.hasOwn(before, naming)) return isAsBefore(naming) ? undefined : naming;
  const whole = inOneSpelling(resource);
  if (whole === "") return undefined;
  const parts = new Set(whole.split(/[^\p{L}\p{N}._-]+/u).filter(Boolean));
  const names = Object.keys(before);
  const like = (isLike: (text: string) => boolean): readonly string[] =>
    names.filter((name) => someText([name, before[name]], isLike));
  const speaking = like((text) => text.includes(whole));
  const frozen = speaking.length > 0 ? speaking : like((text) => hasPart(text, parts));
  return (
    frozen.find((name) => !isAsBefore(name)) ??
    Object.keys(after).find((name) => !Object.hasOwn(before, name))
  );
}

/** Whether one of the texts, numbers and names in a value, however deep, is like that. */
function someText(value: unknown, isLike: (text: string) => boolean): boolean {
  if (Array.isArray(value)) return value.some((one) => someText(one, isLike));
  if (isObject(value))
    return Object.entries(value).some(([name, one]) => isLike(inOneSpelling(name)) || someText(one, isLike));
  return (typeof value === "string" || typeof value === "number") && isLike(inOneSpelling(String(value)));
}

function hasPart(text: string, parts: ReadonlySet<string>): boolean {
  return text.split(/[^\p{L}\p{N}._-]+/u).some((one) => parts.has(one));
}

/** Names that differ in this may be one to whoever takes the step. */
function inOneSpelling(text: string): string {
  return text.trim().normalize("NFKC").toLowerCase().replaceAll("\\", "/");
}

function own(values: Values, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
