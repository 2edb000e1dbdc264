import { refuse } from "../errors/index.js";
import type { ApprovalState } from "./stored-request.js";

/** Why a link decides nothing: what became of its request, or one of the words below. */
type Voidness =
  | { readonly why: "foreign" | "over" | "gone" }
  | { readonly why: "used" | "ended"; readonly state: ApprovalState }
  | { readonly why: "rights" | "lost"; readonly agent: string };

/**
 * Refuses a link in words for whoever holds it: somebody with a page in front of them, who has neither this program nor
 * its documents.
 */
export function voidLink(voidness: Voidness): never {
  return refuse("approval.link_void", { because: told(voidness) });
}

function told(voidness: Voidness): string {
  switch (voidness.why) {
    case "foreign":
      return "it is not whole, or none of ours; copy it once more from its beginning to its end";
    case "over":
      return "its time is over";
    case "gone":
      return "what it was about is not kept any more";
    case "used":
      return `it was used, and what it was about is ${voidness.state}; what was decided by it stands`;
    case "ended":
      return `what it was about is ${voidness.state}${voidness.state === "void" ? ", as it was asked again in another way" : ""}`;
    case "rights":
      return `${voidness.agent} may not decide this any more`;
    case "lost":
      return `${voidness.agent} had lost the right to decide since it was made`;
  }
}
