interface ListenParams {
  readonly notifications?: { readonly resourceSubscriptions?: unknown };
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** What a `subscriptions/listen` names; whatever does not have the right shape names nothing. */
export function listenParams(params: unknown): { uris: string[]; clientName: string | undefined } {
  const { notifications, _meta } = (params ?? {}) as ListenParams;
  const given = notifications?.resourceSubscriptions;
  const info = _meta?.["io.modelcontextprotocol/clientInfo"] as { readonly name?: unknown } | undefined;
  return {
    uris: Array.isArray(given)
      ? given.filter((uri): uri is string => typeof uri === "string").slice(0, 1000)
      : [],
    clientName: typeof info?.name === "string" ? info.name : undefined,
  };
}
