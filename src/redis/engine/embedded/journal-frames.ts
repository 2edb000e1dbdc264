import { crc32 } from "node:zlib";

/*
 * A frame holds what one write to the journal held: the effects of whole commands and scripts, which share one
 * fdatasync and therefore one fate.
 *
 *   magic   4 bytes  "LMJ1"
 *   length  4 bytes  of the effects
 *   number  8 bytes  one more than that of the frame before, across files
 *   crc32   4 bytes  over number and effects
 *   effects
 */
const magic = Buffer.from("LMJ1");
export const frameHeaderBytes = 20;

export function encodeFrame(number: bigint, effects: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + effects.length);
  magic.copy(frame);
  frame.writeUInt32LE(effects.length, 4);
  frame.writeBigUInt64LE(number, 8);
  effects.copy(frame, frameHeaderBytes);
  frame.writeUInt32LE(checksum(frame, effects.length), 16);
  return frame;
}

export interface Frame {
  number: bigint;
  effects: Buffer;
  /** where the next frame begins */
  end: number;
}

/** The frame at this place, if one is there and whole. */
export function frameAt(file: Buffer, at: number): Frame | undefined {
  if (at + frameHeaderBytes > file.length || magic.compare(file, at, at + 4) !== 0) return undefined;
  const length = file.readUInt32LE(at + 4);
  const end = at + frameHeaderBytes + length;
  if (end > file.length) return undefined;
  const frame = file.subarray(at, end);
  if (frame.readUInt32LE(16) !== checksum(frame, length)) return undefined;
  return { number: frame.readBigUInt64LE(8), effects: frame.subarray(frameHeaderBytes), end };
}

/** Where the next whole frame after a damaged place begins, or -1. */
export function nextFrame(file: Buffer, from: number): number {
  for (let at = file.indexOf(magic, from); at !== -1; at = file.indexOf(magic, at + 1)) {
    if (frameAt(file, at)) return at;
  }
  return -1;
}

function checksum(frame: Buffer, length: number): number {
  return crc32(frame.subarray(frameHeaderBytes, frameHeaderBytes + length), crc32(frame.subarray(8, 16)));
}
