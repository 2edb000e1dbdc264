/** Names of options with their dashes: one for a letter, two for a word. */
export function options(names: string): readonly string[] {
  return names.split(" ").map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Whether a letter is one of the options, of which there may be a great many. */
function isOneOf(valued: readonly string[], letter: string | undefined): boolean {
  let set = sets.get(valued);
  if (!set) {
    set = new Set(valued);
    sets.set(valued, set);
  }
  return set.has(`-${letter}`);
}

/** Where the first word stands that is neither an option nor the value of one. */
export function optionsEnd(args: readonly string[], from: number, valued: readonly string[]): number {
  let at = from;
  while (/^[-+]./.test(args[at] ?? "") && args[at] !== "--") at += takesNext(args[at]!, valued) ? 2 : 1;
  return args[at] === "--" ? at + 1 : at;
}

/** Of letters together, the first that takes a value takes the others, or the next word where there are none. */
export function takesNext(option: string, valued: readonly string[]): boolean {
  if (option.startsWith("--") || option.startsWith("+"))
    return valued.some((one) => one === option || (option.length > 4 && one.startsWith(option)));
  const letters = option.slice(1);
  const first = [...letters].findIndex((letter) => isOneOf(valued, letter));
  return first >= 0 && first === letters.length - 1;
}

/** The value of one of the options, however it is given; undefined without one. */
export function optionValue(
  args: readonly string[],
  names: readonly string[],
  valued: readonly string[],
): string | undefined {
  const end = optionsEnd(args, 0, valued);
  for (let at = 0; at < end; at += takesNext(args[at]!, valued) ? 2 : 1) {
    const [option, value] = valueInWord(args[at]!, valued);
    if (names.some((one) => one === option || (option.length > 4 && one.startsWith(option))))
      return value ?? args[at + 1] ?? "";
  }
  return undefined;
}

/** An option, and its value where that stands in the same word. */
export function valueInWord(
  word: string,
  valued: readonly string[],
): readonly [option: string, value: string | undefined] {
  if (word.startsWith("--")) {
    const at = word.indexOf("=");
    return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
  }
  const first = [...word].findIndex((letter, n) => n > 0 && isOneOf(valued, letter));
  return first < 0 ? [word, undefined] : [`-${word[first]!}`, word.slice(first + 1) || undefined];
}

/** Words that are neither options nor values of those that take one; all of them behind `--`. */
export function operandsOf(args: readonly string[], valued: readonly string[] = []): readonly string[] {
  const operands: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return [...operands, ...args.slice(at + 1)];
    if (!arg.startsWith("-")) operands.push(arg);
    else if (takesNext(arg, valued)) at += 1;
  }
  return operands;
}

/** Whether one of the short options, also among others as in `-rf`, or of the long ones, also cut short, is there. */
export function has(args: readonly string[], short: string, ...long: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).some((arg) =>
    /^-[A-Za-z]+$/.test(arg)
      ? [...short].some((letter) => arg.includes(letter))
      : arg.length > 2 && long.some((one) => one.startsWith(arg.split("=", 1)[0]!)),
  );
}

function isCutShort(option: string): boolean {
  return option.startsWith("--") && option.length > 2;
}

/** Options without their values, also those that stand in the same word. */
export function withoutValues(args: readonly string[], valued: readonly string[]): readonly string[] {
  const given: string[] = [];
  for (let at = 0; at < args.length && args[at] !== "--"; at++) {
    const arg = args[at]!;
    if (!/^-./.test(arg)) continue;
    const letters = arg.startsWith("--")
      ? -1
      : [...arg].findIndex((_, n) => n > 0 && isOneOf(valued, arg[n]));
    given.push(letters < 0 ? arg : arg.slice(0, letters + 1));
    if (takesNext(arg, valued)) at += 1;
  }
  return given;
}

/** All values of the options, wherever among the words they stand. */
export function optionValues(
  args: readonly string[],
  names: readonly string[],
  valued: readonly string[],
): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < args.length && args[at] !== "--"; at++) {
    const arg = args[at]!;
    if (!/^-./.test(arg)) continue;
    const [option, value] = valueInWord(arg, valued);
    const isValued = valued.some((one) => one === option);
    // Cut short it is the one of those that it may be, unless another one is called so.
    const isNamed = names.some(
      (one) => one === option || (!isValued && isCutShort(option) && one.startsWith(option)),
    );
    if (isNamed) values.push(value ?? args[at + 1] ?? "");
    if ((isNamed || isValued) && value === undefined) at += 1;
  }
  return values;
}
