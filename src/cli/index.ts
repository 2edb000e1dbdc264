/** The command line: one command per file, loaded when it is called. */
export { run } from "./run.js";
