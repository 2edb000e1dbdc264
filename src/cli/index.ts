/** The command line: one command per file, loaded when it is called. */
export { runProcess } from "./run-process.js";
