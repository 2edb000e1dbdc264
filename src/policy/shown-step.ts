import { visible } from "../addresses/index.js";
import { digest } from "../redis/index.js";
import type { Question } from "./question.js";
import type { ToolStep } from "./tool-step.js";

/** What of a step is told to whoever decides; of a longer one, a digest stands behind it. */
const mostShown = 300;

/** A step in words: what is done, and to what. */
export function named({ action, resource }: ToolStep): string {
  return visible(resource === "" ? action : `${action} ${resource}`);
}

/** The same as it is told to whoever decides. */
export function shownStep(step: ToolStep): string {
  const text = named(step);
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}… (digest ${digest(text)})`;
}

/** The steps that were told so, but for those of which a part was told or a character by its number. */
export function stepsShown(texts: unknown): readonly Pick<Question, "action" | "resource">[] {
  if (!Array.isArray(texts)) return [];
  return texts.flatMap((text: unknown) => {
    if (typeof text !== "string" || text.length > mostShown || text.includes("\\u{")) return [];
    const end = text.indexOf(" ");
    return [
      end < 0
        ? { action: text, resource: "" }
        : { action: text.slice(0, end), resource: text.slice(end + 1) },
    ];
  });
}
