/** Who is calling: the principal behind a call, proved or not. */
export { type Caller, localPrincipal, type Principal, type Role, type Run, type RunId } from "./principal.js";
