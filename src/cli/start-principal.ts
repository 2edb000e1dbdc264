import type { House } from "../compose.js";
import { refuse } from "../errors/index.js";
import type { Principal } from "../identity/index.js";

/**
 * Who a stdio process is: whoever its credential proves, or without one whoever it says, where names are believed.
 *
 * @throws {MailboxError} `auth.required`, `auth.invalid`; `config.invalid` when another setting contradicts the credential
 */
export async function startPrincipal({ config, credentials }: House): Promise<Principal | undefined> {
  const { token, namespace, isNamespaceSet, agent } = config;
  if (token === undefined) {
    await credentials.check({ namespace, credential: { kind: "none" } });
    return undefined;
  }
  const principal = await credentials.verify(token);
  if (agent !== undefined && agent !== principal.agent)
    refuse("config.invalid", {
      setting: "LLM_MAILBOX_AGENT (or --agent)",
      problem: "is another agent than the one LLM_MAILBOX_TOKEN was issued for",
      allowed: `${principal.agent}, or nothing`,
    });
  if (isNamespaceSet && namespace !== principal.namespace)
    refuse("config.invalid", {
      setting: "LLM_MAILBOX_NAMESPACE (or --namespace)",
      problem: "is another namespace than the one LLM_MAILBOX_TOKEN was issued in",
      allowed: `${principal.namespace}, or nothing`,
    });
  return principal;
}
