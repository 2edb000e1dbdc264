/** One thing that was looked at. `fail` means that mail cannot be exchanged, or not as the settings demand. */
export interface Finding {
  readonly about: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export function ok(about: string, found: string): Finding {
  return { about, state: "ok", found };
}

export function warn(about: string, found: string, remedy: string): Finding {
  return { about, state: "warn", found, remedy };
}

export function fail(about: string, found: string, remedy: string): Finding {
  return { about, state: "fail", found, remedy };
}
