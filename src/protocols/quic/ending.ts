/** How connections end. */

/** What a connection or a session was closed with. */
export interface CloseInfo {
  readonly closeCode?: number;
  readonly reason?: string;
}

/** Resolves with the reason, for people, once the connection is over. */
export async function endOf(conn: { readonly closed: Promise<CloseInfo> }): Promise<string> {
  try {
    const { closeCode = 0, reason = "" } = await conn.closed;
    return reason === "" ? `The connection was closed with code ${closeCode}` : reason;
  } catch (error) {
    return `The connection is lost: ${sentence(error)}`;
  }
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Resolves when `work` is done or has failed, at the latest after `limitMs`. */
export async function within(limitMs: number, work: () => Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, limitMs);
  await Promise.race([late.promise, work().catch(() => {})]);
  clearTimeout(timer);
}
