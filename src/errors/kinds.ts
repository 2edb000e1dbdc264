/**
 * The closed set of kinds a refusal can have, a subset of gRPC's status codes
 * (https://grpc.io/docs/guides/status-codes/). The kind decides the HTTP status and whether trying again can help.
 */
export type ErrorKind =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "UNAUTHENTICATED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "UNAVAILABLE"
  | "UNKNOWN"
  | "INTERNAL";

const statusOf: Record<ErrorKind, number> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 409,
  ABORTED: 409,
  UNAVAILABLE: 503,
  UNKNOWN: 503,
  INTERNAL: 500,
};

export function httpStatus(kind: ErrorKind): number {
  return statusOf[kind];
}

/** Whether the same call, unchanged, may succeed later. `UNKNOWN` is safe to repeat only with its idempotency key. */
export function isRetryable(kind: ErrorKind): boolean {
  return kind === "UNAVAILABLE" || kind === "RESOURCE_EXHAUSTED" || kind === "UNKNOWN" || kind === "ABORTED";
}
