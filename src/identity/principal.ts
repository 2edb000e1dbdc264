import { isAgentName } from "../addresses/index.js";
import { refuse } from "../errors/index.js";

export const roles = ["admin", "agent", "observer", "approver"] as const;
export type Role = (typeof roles)[number];

/** What proved a principal: nothing (it named itself), a token of ours, a JWT, or that it could open the store. */
export type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "token"; readonly id: string; readonly expiresAt?: number }
  | { readonly kind: "jwt"; readonly id: string; readonly expiresAt: number }
  | { readonly kind: "operator" };

/** The identity behind a call. It comes from the credential (or the local start), never from an argument. */
export interface Principal {
  readonly namespace: string;
  readonly agent: string;
  /** False while the process named itself and no credential proved it; shown wherever its messages are shown. */
  readonly verified: boolean;
  /** What the credential says; what the namespace says of the agent is added when a call is decided. */
  readonly roles: readonly Role[];
  readonly credential: Credential;
}

export type RunId = string & { readonly __run: unique symbol };

/** One life of an agent: a stdio process or an HTTP session. Deliveries and waits belong to (agent, run). */
export interface Run {
  readonly id: RunId;
}

/** What goes through every call from the face down to the script. */
export interface Caller {
  readonly principal: Principal;
  readonly run: Run;
}

/** The principal of a process that names itself on a store it could open anyway (one trust domain). */
export function localPrincipal(namespace: string, agent: string): Principal {
  if (!isAgentName(agent))
    refuse("config.invalid", {
      setting: "LLM_MAILBOX_AGENT (or --agent)",
      problem: "is not an agent name",
      allowed:
        "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit, not everyone, postmaster or operator",
    });
  return { namespace, agent, verified: false, roles: ["agent"], credential: { kind: "none" } };
}

/** The principal that a token proved; what it may is what the namespace says of its agent. */
export function tokenPrincipal(namespace: string, agent: string, id: string): Principal {
  return { namespace, agent, verified: true, roles: ["agent"], credential: { kind: "token", id } };
}

/** Whoever can open the store: the command line of the machine. No rule binds it, and everything it does is recorded. */
export function operatorPrincipal(namespace: string): Principal {
  return { namespace, agent: "operator", verified: true, roles: ["admin"], credential: { kind: "operator" } };
}
