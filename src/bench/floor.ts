/** The floor of the machine, to which every wire's figures compare: a copy in memory, and plain TCP. */

import { ClientProcess } from "../demo/client_process.ts";
import type { Log } from "../log.ts";
import type { Flow } from "./figures.ts";

export interface Floor {
  readonly memcpy: Flow;
  /** Between two processes, as the wires' figures are. */
  readonly tcp: { readonly down: Flow; readonly up: Flow };
}

/** What is read and written at once: as long as a part. */
const CHUNK_BYTES = 256 * 1024;
const TCP_BYTES = 256 * 1024 * 1024;
const MEMCPY_TIMES = 10;
const PASSED = "bytes passed";

export async function measureFloor(modelBytes: number): Promise<Floor> {
  return { memcpy: copy(modelBytes), tcp: await overTcp() };
}

/** Whole models, as they do not stay in a processor's cache either. */
function copy(modelBytes: number): Flow {
  const from = new Uint8Array(modelBytes).fill(1);
  const to = new Uint8Array(modelBytes);
  to.set(from); // the kernel gives pages at the first write
  const begunMs = performance.now();
  for (let time = 0; time < MEMCPY_TIMES; time++) to.set(from);
  return { bytes: MEMCPY_TIMES * modelBytes, seconds: (performance.now() - begunMs) / 1000 };
}

async function overTcp(): Promise<Floor["tcp"]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  let tcp: Floor["tcp"] | undefined;
  await using client = new ClientProcess({
    wire: "tcp",
    args: ["bench", "--floor", String(port)],
    hear: (line) => {
      if (line.message !== PASSED) return;
      const flow = (seconds: unknown) => ({ bytes: TCP_BYTES, seconds: Number(seconds) });
      tcp = { down: flow(line.down_seconds), up: flow(line.up_seconds) };
    },
  });
  const early = client.ended().then(({ newest }): never => {
    throw new Error(`The TCP client ended early: ${newest.join("; ")}`);
  });
  early.catch(() => {}); // raced below, and it ends in the end
  using connection = await Promise.race([listener.accept(), early]);
  await Promise.race([
    (async () => {
      await sendBytes(connection);
      await takeBytes(connection);
      await connection.write(new Uint8Array(1)); // the verdict
    })(),
    early,
  ]);
  const { newest } = await client.ended();
  if (tcp === undefined) throw new Error(`The TCP client measured nothing: ${newest.join("; ")}`);
  return tcp;
}

/** The far end, in a process of its own. */
export async function runFloorClient(port: number, log: Log): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const begunMs = performance.now();
  await takeBytes(connection);
  const downMs = performance.now() - begunMs;
  const sentMs = performance.now();
  await sendBytes(connection);
  await connection.read(new Uint8Array(1));
  const upMs = performance.now() - sentMs;
  log.write("info", PASSED, { down_seconds: downMs / 1000, up_seconds: upMs / 1000 });
}

async function sendBytes(connection: Deno.Conn): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES).fill(1);
  for (let sent = 0; sent < TCP_BYTES;) {
    sent += await connection.write(chunk.subarray(0, TCP_BYTES - sent));
  }
}

async function takeBytes(connection: Deno.Conn): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let taken = 0; taken < TCP_BYTES;) {
    const count = await connection.read(chunk);
    if (count === null) throw new Error(`The other end left after ${taken} bytes`);
    taken += count;
  }
}
