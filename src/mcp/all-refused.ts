interface Told {
  readonly state: string;
  readonly refusal?: { readonly code: string; readonly message: string };
}

/** The first refusal, when a call for several was refused for each of them: then it is a refusal itself. */
export function allRefused(
  told: readonly Told[],
): { readonly code: string; readonly message: string; readonly alone: boolean } | undefined {
  const first = told[0]?.refusal;
  if (!first || !told.every((one) => one.state === "refused")) return undefined;
  return { ...first, alone: told.length === 1 };
}
