import { createRequire } from "node:module";
import type * as ioredis from "ioredis";

/**
 * The driver, loaded as the CommonJS package that it is. For an `import` Node reads its files a second time, to find the
 * names that they export, which costs the start of a process half as much again as loading them.
 */
export const { Cluster, Command, Redis } = createRequire(import.meta.url)("ioredis") as typeof ioredis;

export type Cluster = ioredis.Cluster;
export type Command = ioredis.Command;
export type Redis = ioredis.Redis;
export type RedisOptions = ioredis.RedisOptions;
