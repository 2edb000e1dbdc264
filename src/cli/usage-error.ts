/** What was typed cannot be understood or is too little; ends with status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
