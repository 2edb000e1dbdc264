import type { Question } from "./question.js";

/** Whose use is added up, as it is kept. Agents without a team are a team of their own, the one without a name. */
export function subjectOf(
  per: "agent" | "team" | "namespace",
  agent: Pick<Question["agent"], "name" | "team">,
): string {
  if (per === "namespace") return "namespace";
  return per === "agent" ? `agent:${agent.name}` : `team:${agent.team}`;
}
