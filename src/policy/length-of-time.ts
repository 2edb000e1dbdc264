/** A length of time as rule sets write it, such as `15m`. */
export function lengthOfTime(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const;
  const [unit, length] = units.find(([, unitMs]) => ms % unitMs === 0)!;
  return `${ms / length}${unit}`;
}
