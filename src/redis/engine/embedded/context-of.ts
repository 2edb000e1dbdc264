import type { CommandExecutor, RedisExecutionContext } from "js-redis-server/core";

/** What a command finds around it: that of another, but for what is told. */
export class ContextOf implements RedisExecutionContext {
  readonly of: RedisExecutionContext;
  readonly server: RedisExecutionContext["server"];
  readonly session: RedisExecutionContext["session"];
  readonly executor: CommandExecutor;
  readonly signal: AbortSignal;
  readonly park: RedisExecutionContext["park"];
  readonly monitor?: NonNullable<RedisExecutionContext["monitor"]>;
  readonly transactionReplay?: boolean;
  readonly nodeRole?: NonNullable<RedisExecutionContext["nodeRole"]>;
  readonly #db: RedisExecutionContext["db"] | undefined;

  constructor(of: RedisExecutionContext, own: Partial<Pick<RedisExecutionContext, "db" | "monitor">>) {
    this.of = of;
    this.server = of.server;
    this.session = of.session;
    this.executor = of.executor;
    this.signal = of.signal;
    this.park = of.park;
    this.#db = own.db;
    const monitor = own.monitor ?? of.monitor;
    if (monitor) this.monitor = monitor;
    if (of.transactionReplay) this.transactionReplay = true;
    if (of.nodeRole) this.nodeRole = of.nodeRole;
  }

  /** Asked for anew each time: a session may come to another database. */
  get db(): RedisExecutionContext["db"] {
    return this.#db ?? this.of.db;
  }
}
