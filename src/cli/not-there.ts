/** What was named does not exist; ends with status 1, as every refusal does. */
export class NotThere extends Error {
  override readonly name = "NotThere";
}
