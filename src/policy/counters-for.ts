import { digest } from "../redis/index.js";
import { canonicalResource, isOfWeb } from "./canonical-resource.js";
import type { Counter } from "./decision.js";
import { contextProblem } from "./given.js";
import { canonicalAction } from "./name-pattern.js";
import type { Question } from "./question.js";
import type { CounterEntry } from "./rule-set.js";
import type { Scope } from "./scope.js";
import { subjectOf } from "./subject.js";

/** A counter, with what it counts. */
export interface CountedBy {
  readonly name: string;
  readonly entry: CounterEntry;
  readonly scope: Scope;
  readonly position: number;
}

/** The counters of a question as they are kept; the same question is known by action, resource and arguments. */
export function countersFor(
  wanted: readonly CountedBy[],
  counting: readonly CountedBy[],
  question: Omit<Question, "counts">,
): readonly Counter[] {
  let same: string | undefined;
  return wanted.map((counter) => {
    const { name, entry } = counter;
    const whose = subjectOf(entry.per, question.agent);
    if (entry.same) {
      const action = canonicalAction(question.action);
      const resource = canonicalResource(question.resource, isOfWeb(action));
      same ??= digest([action, resource, argumentsDigest(question.context)]);
    }
    return {
      name,
      subject: entry.same ? `${whose}:${same}` : whose,
      windowMs: entry.window,
      counts: counting.includes(counter),
    };
  });
}

/** Of each context once: a call of many steps has one, and it may be large. */
const digests = new WeakMap<object, string>();

/** What no condition can look at is not looked at here either: all of it counts as the same. */
function argumentsDigest(context: Question["context"]): string {
  let known = digests.get(context);
  if (known === undefined) {
    known = digest(contextProblem(context) === undefined ? (context.arguments ?? null) : null);
    digests.set(context, known);
  }
  return known;
}
