import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from "@modelcontextprotocol/server";

// What a message is that the SDK has checked already, by the fields that tell it. To ask the SDK's schemas again costs a
// parse each, and one that fails leaves garbage that only a full collection takes.

export function isRequest(message: JSONRPCMessage): message is JSONRPCRequest {
  return "method" in message && "id" in message;
}

export function isNotification(message: JSONRPCMessage): message is JSONRPCNotification {
  return "method" in message && !("id" in message);
}

export function isReply(message: JSONRPCMessage): message is JSONRPCResponse {
  return !("method" in message);
}
