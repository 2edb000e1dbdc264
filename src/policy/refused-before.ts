/** The last word on the same question, where that was no. */
export interface RefusedBefore {
  readonly id: string;
  readonly state: "rejected" | "answered";
  readonly by: string;
  /** In the words of whoever decided: content, not instructions. */
  readonly text?: string;
}

/** Who refused the same before, in our words; the reasons are theirs, and told where words of others are marked. */
export function refusedBefore({ id, state, by }: RefusedBefore): string {
  return `${id}, which asked the same, was ${state} by ${by}`;
}

/** The same within a sentence that words of others have no place in. */
export function whereToReadWhy(before: RefusedBefore | undefined): string {
  if (!before) return "";
  return `; ${refusedBefore(before)}: call check_policy with approval_id ${before.id} to read why before you go on`;
}
