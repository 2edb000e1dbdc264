/** Topics: named logs that many agents follow, each from its own position. */
export type { TopicDependencies } from "./context.js";
export { SubscribeTopic, type SubscriptionReceipt } from "./contract.js";
export { type TopicLimits, topicLimits } from "./limits.js";
export type { TopicSummary } from "./list-topics.js";
export type { PublishOperation } from "./publish-message.js";
export type { SettingChanges } from "./set-topic.js";
export type { TopicSettings } from "./settings.js";
export { Topics } from "./topics.js";
