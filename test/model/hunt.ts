import type { Mutant } from "./mutants.js";

/** One way to look for a defect. */
export interface Look {
  readonly what: string;
  /** Takes long, and is tried when nothing else has noticed anything. */
  readonly isLong?: boolean;
  /** Does the work on scripts with the mutant among them, and says whether anything was wrong, and whether it was run. */
  at(mutant: Mutant | undefined): Promise<{ readonly noticed: boolean; readonly used: boolean }>;
}

/** Looks wait for the store most of the time. */
const huntersAtOnce = 4;

/**
 * The mutants that no look notices. Each is looked at until the first notices it; what has noticed others of the same
 * script is tried first.
 *
 * @throws where a script with a defect was never run: not to have noticed it would say nothing
 */
export async function survivorsOf(
  mutants: readonly Mutant[],
  looks: readonly Look[],
): Promise<readonly Mutant[]> {
  const catches = new Map<string, number>();
  const nameOf = ({ script }: Mutant, { what }: Look): string => `${script} ${what}`;
  const left = [...mutants];
  const survivors: Mutant[] = [];
  const hunter = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      const one = mutant;
      const caught = (look: Look): number => catches.get(nameOf(one, look)) ?? 0;
      const found = await noticedBy(
        one,
        looks.toSorted(
          (a, b) => Number(a.isLong ?? false) - Number(b.isLong ?? false) || caught(b) - caught(a),
        ),
      );
      if (found) catches.set(nameOf(one, found), caught(found) + 1);
      else survivors.push(one);
    }
  };
  await Promise.all(Array.from({ length: huntersAtOnce }, hunter));
  return survivors;
}

/** The first look that notices the defect, or where there is none, anything at all. */
export async function noticedBy(
  mutant: Mutant | undefined,
  looks: readonly Look[],
): Promise<Look | undefined> {
  let ran = false;
  for (const look of looks) {
    const { noticed, used } = await look.at(mutant);
    ran ||= used;
    if (noticed) return look;
  }
  if (mutant && !ran) throw new Error(`${mutant.script} was never run`);
  return undefined;
}

/** Does the work, and tells a defect that no longer fits its script from one that was noticed. */
export async function isNoticed(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if ((error as Error).message.includes("no longer fits")) throw error;
    return true;
  }
}

/** What is said of the hunt on standard error. */
export function told(what: string, mutants: readonly Mutant[], survivors: readonly Mutant[]): string {
  const escaped = survivors.map((one) => `\n  not caught: ${one.script} ${one.what}`);
  return `${mutants.length - survivors.length} of ${mutants.length} ${what} caught${escaped.join("")}\n`;
}
