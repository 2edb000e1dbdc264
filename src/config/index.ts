/** The settings of this process: from flags, environment and defaults to one frozen, checked value. */
export { type Config, type Flags, readConfig, settings } from "./read-config.js";
