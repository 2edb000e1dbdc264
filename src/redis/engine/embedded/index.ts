/** The embedded engine: Redis commands in this process, every effect journaled before its reply. */
export { DamagedJournal } from "./journal-files.js";
export { type EmbeddedEngine, type EmbeddedOptions, serveEmbedded } from "./serve-embedded.js";
