import { z } from "zod";

/** What a guard asks before files are changed: who has reserved them. Paths are relative to the repository, with slashes. */
export const GuardFiles = z.object({
  files: z.array(z.string().min(1).max(8_192)).min(1).max(1_000),
  /** Reserves what is free for this session of the asker, for so long unless it is asked again. */
  take: z
    .object({
      session: z.string().min(1).max(1_000),
      lease_seconds: z.number().int().min(1).max(86_400),
    })
    .optional(),
  /** What the asker says it holds: refused where it does not, as what is written under a token is. */
  tokens: z
    .array(
      z.object({
        resource: z.string().min(1).max(8_192),
        fencing_token: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
      }),
    )
    .max(100)
    .optional(),
});
export type GuardFiles = z.infer<typeof GuardFiles>;

/** When the turn of a session is over: what was taken for it is given back. */
export const GuardStop = z.object({ stop: z.object({ session: z.string().min(1).max(1_000) }) });
export type GuardStop = z.infer<typeof GuardStop>;

/** A file that another agent has reserved, or that rests. */
export interface ReservedFile {
  readonly path: string;
  /** Missing where the asker may not know. */
  readonly agent?: string;
  /** ISO time; the lease may be prolonged until then. */
  readonly until: string;
  /** Nobody has it: it rests until then after that agent lost it, which may be the asker's own. */
  readonly rests?: true;
}

/** A file that nobody has, but for which somebody waits whose turn comes before the asker's. */
export interface WantedFile {
  readonly path: string;
  /** Missing where the asker may not know. */
  readonly agent?: string;
  /** What that one waits for, where it can be told. */
  readonly waits_for?: { readonly resource: string; readonly agent: string; readonly until: string };
}

/**
 * A file whose reservation the session had lost, and that others may have changed since. It is reserved for it again, or a run
 * of its agent holds it.
 */
export interface LostFile {
  readonly path: string;
  /** ISO time. */
  readonly lost_at: string;
  /** Who was granted it since, and when, where a run of the asker's agent had lost it and the asker may know. */
  readonly agent?: string;
  readonly since?: string;
}

/** A file about which the asker was refused, in the words of that refusal. */
export interface RefusedFile {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** What a guard finds out about files. What is in none of the lists is free, or reserved for the asker. */
export interface GuardFindings {
  readonly reserved: readonly ReservedFile[];
  readonly wanted: readonly WantedFile[];
  readonly refused: readonly RefusedFile[];
  /** Missing where there are none. Told once. */
  readonly lost?: readonly LostFile[];
  /** How many tokens were looked at; missing where there were none. */
  readonly tokens?: number;
  /** More is locked around these than is looked at, so that nobody knows whether they are reserved. */
  readonly untold: readonly string[];
  /** Names that no lock can have: nobody can reserve such a file by itself, only by a pattern, which was looked for. */
  readonly unnameable: readonly string[];
}
