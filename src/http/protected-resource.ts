const metadataPaths = ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];

export function isMetadataPath(path: string | undefined): boolean {
  return path !== undefined && metadataPaths.includes(path);
}

/**
 * What a client needs to know to get a credential, as RFC 9728 writes it: where to take one from, if from somewhere on
 * the network, and how to show it.
 */
export function protectedResource(base: string, issuer: string | undefined): object {
  return {
    resource: `${base}/mcp`,
    ...(issuer === undefined ? {} : { authorization_servers: [issuer] }),
    bearer_methods_supported: ["header"],
    resource_name: "LLM Mailbox",
  };
}
