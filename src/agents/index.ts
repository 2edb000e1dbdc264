/** Who is there: the directory of agents and queues, and which of their runs are alive. */
export { FindRecipients, MyStatus, type Recipients, type Status } from "./contract.js";
export { type Described, Directory, type QueueSettings } from "./directory.js";
export { myStatus, type StatusSources } from "./my-status.js";
export { Runs, type RunsDependencies } from "./runs.js";
