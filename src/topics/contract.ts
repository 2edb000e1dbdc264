import { z } from "zod";

export const SubscribeTopic = z.object({
  topic: z.string().max(260).describe("Name or pattern: builds.ci, builds.*, builds.**"),
  start_at: z.string().max(100).optional().describe("now (default), earliest, or a message id"),
  sender: z.string().max(100).optional(),
  min_priority: z.enum(["low", "normal", "high", "urgent"]).optional(),
  batch_size: z.number().int().min(2).max(100).optional().describe("Wake me after so many"),
  batch_seconds: z.number().int().min(1).max(600).optional().describe("or so long"),
  stop: z.boolean().optional().describe("Unsubscribe"),
  idempotency_key: z.string().min(1).max(200).optional(),
});
export type SubscribeTopic = z.infer<typeof SubscribeTopic>;

export interface SubscriptionReceipt {
  readonly pattern: string;
  readonly state: "subscribed" | "already_subscribed" | "stopped" | "not_subscribed";
  /** Topics that exist now and match, at most 20 of them. */
  readonly topics: readonly string[];
  readonly topics_total: number;
  /** Where reading begins: a time, or `earliest`. */
  readonly position: string;
}
