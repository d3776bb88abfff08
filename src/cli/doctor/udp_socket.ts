/** A UDP socket that is asked whether packets reach it. */

export class UdpSocket implements Disposable {
  readonly #socket: Deno.DatagramConn;
  #isOpen = true;

  private constructor(socket: Deno.DatagramConn) {
    this.#socket = socket;
  }

  /** @throws {Deno.errors.AddrInUse | Deno.errors.AddrNotAvailable | Deno.errors.PermissionDenied} */
  static bind(hostname: string, port: number): UdpSocket {
    return new UdpSocket(Deno.listenDatagram({ transport: "udp", hostname, port }));
  }

  /**
   * Whether a packet arrives that is sent to this port at `host`, one of this machine's addresses.
   * Where the signal comes first, none has, and this socket is closed.
   */
  async isReached(host: string, signal: AbortSignal): Promise<boolean> {
    using client = UdpSocket.bind(host, 0);
    const giveUp = () => this[Symbol.dispose]();
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      const sent = crypto.getRandomValues(new Uint8Array(16));
      await client.#send(sent, { hostname: host, port: this.#port });
      for (;;) {
        const [received] = await this.#socket.receive();
        if (received.toHex() === sent.toHex()) return true; // others may send, too
      }
    } catch (error) {
      // A firewall may say no at once: EPERM.
      if (signal.aborted || error instanceof Deno.errors.PermissionDenied) return false;
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  get #port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async #send(bytes: Uint8Array, to: { hostname: string; port: number }): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", ...to });
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) this.#socket.close();
    this.#isOpen = false;
  }
}
