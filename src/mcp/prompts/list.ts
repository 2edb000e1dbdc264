/** A text that a person or a client picks to begin or end a piece of work. */
export interface Prompt {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly description: string;
    readonly required: boolean;
  }[];
  text(given: Readonly<Record<string, string>>): string;
}
