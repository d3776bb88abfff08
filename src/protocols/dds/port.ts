/**
 * Whether UDP ports are to be had. Asked through the C library before Cyclone tries, as Cyclone
 * does not say why it failed, and as its lines on stderr would be the operator's first news.
 */

import type { Cyclone } from "./cyclone.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** struct sockaddr_in */
const ADDRESS_BYTES = 16;
/** Descriptors looked at: a process takes the lowest free one, so a socket made at start is among them. */
const DESCRIPTORS = 4096;

const ANY_HOST = "0.0.0.0";
const ANY_PORT = 0;
const LAST_PORT = 65_535;

/** The part of the C library that is needed. */
interface Sockets {
  socket(domain: number, type: number, protocol: number): number;
  bind(descriptor: number, address: BufferSource, length: number): number;
  getsockname(descriptor: number, address: BufferSource, length: BufferSource): number;
  close(descriptor: number): number;
  fcntl(descriptor: number, command: number, argument: number): number;
}

/** A server's two ports: discovery on the first, samples on the next. */
export class PortPair {
  readonly #sockets: Sockets;

  private constructor(sockets: Sockets) {
    this.#sockets = sockets;
  }

  /** Undefined where libddsc does not bring the C library along: on Windows. */
  static of(cyclone: Cyclone): PortPair | undefined {
    const {
      libc_socket: socket,
      libc_bind: bind,
      libc_getsockname: getsockname,
      libc_close: close,
      libc_fcntl: fcntl,
    } = cyclone;
    if (!socket || !bind || !getsockname || !close || !fcntl) return undefined;
    return new PortPair({ socket, bind, getsockname, close, fcntl });
  }

  /** Cyclone receives on all addresses, so the pair must be free on all of them. */
  isFree(port: number): boolean {
    return this.#tryBind(ANY_HOST, port) !== undefined &&
      this.#tryBind(ANY_HOST, port + 1) !== undefined;
  }

  /** Whether an IPv4 address is one of this machine's. */
  isLocal(address: string): boolean {
    return this.#tryBind(address, ANY_PORT) !== undefined;
  }

  /** The first port of a free pair. */
  free(): number {
    for (;;) {
      const port = this.#tryBind(ANY_HOST, ANY_PORT);
      if (port === undefined) throw new Error("Cannot find a free UDP port");
      if (port < LAST_PORT && this.#tryBind(ANY_HOST, port + 1) !== undefined) return port;
    }
  }

  /**
   * Keeps child processes from inheriting the pair's sockets: Cyclone does not, and a child that
   * outlives its server would occupy the port.
   */
  keepFromChildren(port: number): void {
    // fcntl is variadic, which Deno can only call where such arguments travel like all others.
    if (Deno.build.os !== "linux") return;
    for (let descriptor = 3; descriptor < DESCRIPTORS; descriptor++) {
      const bound = this.#portOf(descriptor);
      if (bound === port || bound === port + 1) {
        this.#sockets.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
      }
    }
  }

  /** Binds a UDP socket for a moment; the port it got, or undefined. */
  #tryBind(host: string, port: number): number | undefined {
    const descriptor = this.#sockets.socket(AF_INET, SOCK_DGRAM, 0);
    if (descriptor < 0) return undefined;
    try {
      if (this.#sockets.bind(descriptor, socketAddress(host, port), ADDRESS_BYTES) !== 0) {
        return undefined;
      }
      return this.#portOf(descriptor);
    } finally {
      this.#sockets.close(descriptor);
    }
  }

  #portOf(descriptor: number): number | undefined {
    const address = new DataView(new ArrayBuffer(128));
    const length = Uint32Array.of(address.byteLength);
    if (this.#sockets.getsockname(descriptor, address, length) !== 0) return undefined;
    return family(address) === AF_INET ? address.getUint16(2) : undefined;
  }
}

function socketAddress(host: string, port: number): DataView<ArrayBuffer> {
  const address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  if (Deno.build.os === "darwin") {
    address.setUint8(0, ADDRESS_BYTES);
    address.setUint8(1, AF_INET);
  } else {
    address.setUint16(0, AF_INET, true);
  }
  address.setUint16(2, port);
  host.split(".").forEach((part, index) => address.setUint8(4 + index, Number(part)));
  return address;
}

function family(address: DataView): number {
  return Deno.build.os === "darwin" ? address.getUint8(1) : address.getUint16(0, true);
}
