const header = "mailbox-lifeline";

/** By this a client says, with each of its requests, that it keeps a stream open for as long as it lives, and opens it anew when it is cut. */
export const lifelineHeaders: Readonly<Record<string, string>> = { [header]: "kept" };

/** Whether the client says that it keeps a lifeline. */
export function saysLifeline(request: Request): boolean {
  return request.headers.has(header);
}

/**
 * The stream of a `subscriptions/listen` that names nothing: acknowledged, then a comment now and then, by which each side
 * sees the other. The SDK ends such a stream at once, because there is nothing to tell.
 */
export function lifelineStream(
  id: unknown,
  keepAliveMs: number,
): { readonly response: Response; end(): void } {
  const encoder = new TextEncoder();
  const _meta = { "io.modelcontextprotocol/subscriptionId": id };
  const frame = (message: object): Uint8Array =>
    encoder.encode(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
  let timer: NodeJS.Timeout | undefined;
  let end: () => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const params = { notifications: {}, _meta };
      controller.enqueue(frame({ method: "notifications/subscriptions/acknowledged", params }));
      timer = setInterval(() => controller.enqueue(encoder.encode(": alive\n\n")), keepAliveMs).unref();
      end = () => {
        clearInterval(timer);
        end = () => undefined;
        controller.enqueue(frame({ id, result: { resultType: "complete", _meta } }));
        controller.close();
      };
    },
    cancel: () => {
      clearInterval(timer);
      end = () => undefined;
    },
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" };
  return { response: new Response(body, { headers }), end: () => end() };
}
