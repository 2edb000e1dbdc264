import { connect } from "node:net";

/** `pong`: serves. `loading`: will serve. `silent`: someone listens and does not answer in time. `absent`: nobody. */
export type Pulse = "pong" | "loading" | "silent" | "absent";

/** One connection and one PING; never throws. */
export function ping(socketPath: string, timeoutMs = 1_000): Promise<Pulse> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let reply = "";
    const end = (pulse: Pulse): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(pulse);
    };
    const timer = setTimeout(() => end("silent"), timeoutMs);
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write("PING\r\n"));
    socket.on("error", () => end("absent"));
    socket.on("close", () => end("absent"));
    socket.on("data", (text: string) => {
      reply += text;
      if (!reply.includes("\r\n")) return;
      end(reply.startsWith("+PONG") ? "pong" : reply.startsWith("-LOADING") ? "loading" : "silent");
    });
  });
}
