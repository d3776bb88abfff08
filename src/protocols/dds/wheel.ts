/** Takes one file out of a Python wheel, which is a ZIP archive (PKWARE APPNOTE 6.3). */

const END_OF_DIRECTORY = 0x06054b50; // §4.3.16
const END_OF_DIRECTORY_BYTES = 22;
const DIRECTORY_ENTRY = 0x02014b50; // §4.3.12
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30; // §4.3.7
const STORED = 0;
const DEFLATED = 8;

/**
 * The file's bytes.
 * @throws {SyntaxError} when the archive has no such file or cannot be read.
 */
export async function fileInWheel(
  wheel: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = await find(wheel, name);
    if (bytes !== undefined) return bytes;
  } catch (error) {
    throw new SyntaxError(`Cannot read the wheel: ${String(error)}`);
  }
  throw new SyntaxError(`The wheel has no ${name}`);
}

async function find(
  wheel: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const view = new DataView(wheel.buffer, wheel.byteOffset, wheel.length);
  const end = endOfDirectory(view);
  const entries = view.getUint16(end + 10, true);
  let entry = view.getUint32(end + 16, true);
  for (let count = 0; count < entries; count++) {
    if (view.getUint32(entry, true) !== DIRECTORY_ENTRY) throw new RangeError("broken directory");
    const nameBytes = view.getUint16(entry + 28, true);
    const start = entry + DIRECTORY_ENTRY_BYTES;
    if (new TextDecoder().decode(wheel.subarray(start, start + nameBytes)) === name) {
      return await unpack(wheel, view, entry);
    }
    entry = start + nameBytes + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
  return undefined;
}

/** The archive ends with it, and with a comment of at most 64 KiB. */
function endOfDirectory(view: DataView): number {
  for (let end = view.byteLength - END_OF_DIRECTORY_BYTES; end >= 0; end--) {
    if (view.getUint32(end, true) === END_OF_DIRECTORY) return end;
  }
  throw new RangeError("no directory");
}

async function unpack(
  wheel: Uint8Array<ArrayBuffer>,
  view: DataView,
  entry: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const method = view.getUint16(entry + 10, true);
  const packedBytes = view.getUint32(entry + 20, true);
  const header = view.getUint32(entry + 42, true);
  const start = header + LOCAL_HEADER_BYTES + view.getUint16(header + 26, true) +
    view.getUint16(header + 28, true);
  const packed = wheel.subarray(start, start + packedBytes);
  if (method === STORED) return packed.slice();
  if (method !== DEFLATED) throw new RangeError(`unknown compression ${method}`);
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return await new Response(unpacked).bytes();
}
