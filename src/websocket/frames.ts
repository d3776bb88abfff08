/** Frames of the WebSocket protocol (RFC 6455 §5). Pure, no I/O. */

export const opcodes = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;
export type Opcode = typeof opcodes[keyof typeof opcodes];

/** What stands before the bytes of a frame. */
export interface FrameHead {
  /** The message ends with this frame. */
  readonly final: boolean;
  readonly opcode: Opcode;
  readonly lengthBytes: number;
  /** With what each four bytes of a client's frame are masked. */
  readonly mask: Uint8Array;
}

/** Every client's frame begins with at least so many bytes: two, and four of its mask. */
export const LEAST_HEAD_BYTES = 6;

const MASK_BYTES = 4;
const MASKED = 0x80;
const FINAL = 0x80;
/** Of frames that steer the connection (§5.5). */
const MAX_CONTROL_BYTES = 125;
/** A Close frame's reason has two bytes less: its code (§5.5.1). */
const MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2;

const KNOWN: ReadonlySet<number> = new Set(Object.values(opcodes));

/** Bytes of a client's frame head, told from its first six. */
export function headBytes(begin: Uint8Array): number {
  const length = (begin[1] ?? 0) & 0x7f;
  return LEAST_HEAD_BYTES + (length === 127 ? 8 : length === 126 ? 2 : 0);
}

/** Reads the whole head of a client's frame, or says what is wrong with it. */
export function readHead(head: Uint8Array): FrameHead | string {
  const [first = 0, second = 0] = head;
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) {
    return "A WebSocket frame has reserved bits set: no extension is in use";
  }
  if (!isOpcode(opcode)) return `A WebSocket frame has the unknown opcode ${opcode}`;
  if ((second & MASKED) === 0) return "A WebSocket frame of a client must be masked";
  const final = (first & FINAL) !== 0;
  const lengthBytes = readLength(head);
  if (opcode >= opcodes.close && (!final || lengthBytes > MAX_CONTROL_BYTES)) {
    return "A WebSocket control frame is fragmented or longer than 125 bytes";
  }
  return { final, opcode, lengthBytes, mask: head.subarray(head.length - MASK_BYTES) };
}

function isOpcode(opcode: number): opcode is Opcode {
  return KNOWN.has(opcode);
}

function readLength(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = (head[1] ?? 0) & 0x7f;
  if (length === 126) return view.getUint16(2);
  return length === 127 ? Number(view.getBigUint64(2)) : length;
}

/** The mask as it goes on after so many bytes of its frame. */
export function turned(mask: Uint8Array, byBytes: number): Uint8Array {
  return mask.map((_, index) => mask[(index + byBytes) % MASK_BYTES] as number);
}

/** Takes the mask off (or puts it on), in place. The first byte is the first of its frame. */
export function unmask(bytes: Uint8Array, mask: Uint8Array): void {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes.length >> 2 : 0;
  const words = new Uint32Array(bytes.buffer, aligned === 0 ? 0 : bytes.byteOffset, aligned);
  const [word = 0] = new Uint32Array(mask.slice().buffer); // as this machine orders its bytes
  for (let index = 0; index < words.length; index++) words[index] = (words[index] as number) ^ word;
  for (let index = 4 * aligned; index < bytes.length; index++) {
    bytes[index] = (bytes[index] as number) ^ (mask[index & 3] as number);
  }
}

/** The head of a server's frame: whole in itself, and not masked. */
export function writeHead(opcode: Opcode, lengthBytes: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(lengthBytes < 126 ? 2 : lengthBytes < 65_536 ? 4 : 10);
  const view = new DataView(head.buffer);
  view.setUint8(0, FINAL | opcode);
  if (head.length === 2) view.setUint8(1, lengthBytes);
  else if (head.length === 4) view.setUint32(0, (FINAL | opcode) << 24 | 126 << 16 | lengthBytes);
  else {
    view.setUint8(1, 127);
    view.setBigUint64(2, BigInt(lengthBytes));
  }
  return head;
}

/** What a Close frame carries: a code and as much of the reason as there is room for. */
export function closeBytes(code: number, reason: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + MAX_REASON_BYTES);
  new DataView(bytes.buffer).setUint16(0, code);
  const { written } = new TextEncoder().encodeInto(reason, bytes.subarray(2));
  return bytes.slice(0, 2 + written);
}
