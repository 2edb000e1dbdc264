import { refuse } from "../errors/index.js";
import { Cluster, Redis, type RedisOptions } from "./driver.js";

/** Where a store is reached: a unix socket of a local engine, or a URL the operator configured. */
export type Endpoint = { readonly socketPath: string } | { readonly url: string };

export type Connection = Redis | Cluster;

type DriverOptions = Omit<RedisOptions, "replyMapping">;

/**
 * No command is queued while away and none is sent twice by the driver: a lost reply does not say that nothing
 * happened, so only `Store` repeats, with the same operation id. https://github.com/redis/ioredis#auto-reconnect
 */
const careful: DriverOptions = {
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // Of a subscription that the driver renews by itself nobody could take the failure (see `Hints`).
  autoResubscribe: false,
  disableClientInfo: true,
  connectTimeout: 2_000,
  // The driver waits so long for the end of a stream that is closed already, and a process that is done with it.
  disconnectTimeout: 200,
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 5), 500),
};

/**
 * Opens a connection without waiting for it. `redis://`, `rediss://` (TLS), `unix://path`,
 * `redis+cluster://host:port,host:port`, `redis+sentinel://host:port,host:port/master` (add `s` after redis for TLS).
 *
 * @throws {MailboxError} `config.invalid` for a URL of another form
 */
export function openConnection(endpoint: Endpoint, name: string, extra: DriverOptions = {}): Connection {
  const options: DriverOptions = { ...careful, connectionName: name, ...extra };
  if ("socketPath" in endpoint) return new Redis({ ...options, path: endpoint.socketPath });
  const { url } = endpoint;
  if (url.startsWith("unix://")) return new Redis({ ...options, path: url.slice("unix://".length) });
  const list = /^(redis|rediss)\+(cluster|sentinel):\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?$/.exec(url);
  if (list) {
    const [, scheme, kind, login, hosts, path] = list;
    const [username, password] = (login ?? "").split(":").map(decodeURIComponent);
    const access: DriverOptions = {
      ...(password ? { password } : {}),
      ...(username ? { username } : {}),
      ...(scheme === "rediss" ? { tls: {} } : {}),
    };
    const nodes = hosts!.split(",").map((host) => {
      const colon = host.lastIndexOf(":");
      const fallback = kind === "cluster" ? 6379 : 26379;
      return colon < 0
        ? { host, port: fallback }
        : { host: host.slice(0, colon), port: Number(host.slice(colon + 1)) };
    });
    if (kind === "cluster") {
      const {
        retryStrategy,
        lazyConnect: _lazy,
        enableOfflineQueue = false,
        ...node
      } = { ...options, ...access };
      return new Cluster(nodes, {
        lazyConnect: true,
        enableOfflineQueue,
        clusterRetryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 5), 500),
        retryDelayOnClusterDown: 100,
        retryDelayOnFailover: 100,
        redisOptions: node,
      });
    }
    return new Redis({ ...options, ...access, sentinels: nodes, name: path || "mymaster" });
  }
  if (/^rediss?:\/\//.test(url) && URL.canParse(url)) return new Redis(url, options);
  refuse("config.invalid", {
    setting: "REDIS_URL",
    problem: "has a form we do not know",
    allowed: "redis://, rediss://, unix://, redis+cluster://, redis+sentinel://",
  });
}
