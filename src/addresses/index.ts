/** Names, addresses and patterns: how they are parsed, matched and compared. */

export { type Address, formatAddress, isAgentName, isNamespace, parseAddress } from "./address.js";
export { asciiLower } from "./ascii-lower.js";
export { coverFurther, coverOfNothing, covers } from "./covers.js";
export { nearest } from "./nearest.js";
export { overlapFurther, overlapOfNothing, overlaps, type Reach } from "./overlaps.js";
export { matchesTopic, parsePattern, patternRoot, type TopicPattern } from "./pattern.js";
export { randomLetters } from "./random-letters.js";
export {
  isResourcePattern,
  maxResourceLength,
  maxSegments,
  parseResource,
  parseResources,
  type Resource,
} from "./resource.js";
export { parseStateKey, parseStatePrefix, stateGroupOf } from "./state-key.js";
export { parentsOf, parseTopic, rootOf } from "./topic-name.js";
export { visible } from "./visible.js";
