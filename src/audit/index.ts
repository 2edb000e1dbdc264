/** What was decided about each call, and how it is sealed so that any later change is found. */
export { type CheckpointFile, readCheckpointFile } from "./checkpoint-file.js";
export { type ExportedRow, exportAudit } from "./export-audit.js";
export { type AuditQuery, type FoundEvent, queryAudit } from "./query-audit.js";
export { type Asked, Recorder } from "./record.js";
export { Sealer, type SealerDependencies, type SealTimes, sealTimes } from "./seal-audit.js";
export { publicKeyOf } from "./signing-key.js";
export type { Places } from "./slot.js";
export { type Unsealed, unsealedRows } from "./unsealed-rows.js";
export { type Evidence, type Verified, verifyChain } from "./verify-chain.js";
