import type { Principal } from "../identity/index.js";

/** How somebody decided; it is kept with the decision as what it was. */
export const ways = ["command", "tool", "mail", "client", "http", "link"] as const;
export type Way = (typeof ways)[number];

export const decisions = ["approve", "edit", "reject", "answer"] as const;
export type Verdict = (typeof decisions)[number];

/** Who voted, and what they were believed by. */
export interface Voter {
  /** An agent, `operator`, or `client of NAME` for the word of that agent's own client. */
  readonly name: string;
  readonly verified: boolean;
  readonly roles: Principal["roles"];
  /** Kind of the credential and its id, as `token:ID`; `link` where a link of the operator stood for it. */
  readonly proof: string;
}

/** A vote as it is kept: who|decision|digest|when|words. */
export interface Vote extends Voter {
  readonly decision: Verdict;
  /** Of what is approved; empty for a rejection and an answer. */
  readonly digest: string;
  readonly atMs: number;
  readonly way: Way;
  /** In the voter's own words; for an answer, the answer. */
  readonly comment: string;
}

/** The line of a vote; its time is written by the script that keeps it. */
export function voteLine({
  name,
  decision,
  digest,
  verified,
  roles,
  proof,
  way,
  comment,
}: Omit<Vote, "atMs">): string {
  return [name, decision, digest, "*", JSON.stringify({ verified, roles, proof, way, comment })].join("|");
}

export function parseVotes(text: string): Vote[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [name, decision, digest, at, ...words] = line.split("|");
      return {
        name: name!,
        decision: decision as Verdict,
        digest: digest!,
        atMs: Number(at),
        ...(JSON.parse(words.join("|")) as Pick<Vote, "verified" | "roles" | "proof" | "way" | "comment">),
      };
    });
}
