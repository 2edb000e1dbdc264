/** Shared state: versioned entries that agents of a namespace keep together, with compare-and-set, expiry and history. */
export { putAsAsked } from "./asked-to-put.js";
export { type LeaseOf, StateContext, type StateDependencies } from "./context.js";
export { GetState, PutState, type PutStateResult, type StateEntry, type StatePage } from "./contract.js";
export { getState } from "./get-state.js";
export { GroupKeeper } from "./keep-groups.js";
export { defaultStateLimits, type StateLimits } from "./limits.js";
export { listVersions, type StateVersion } from "./list-versions.js";
export { putState } from "./put-state.js";
export { watchState } from "./watch-state.js";
