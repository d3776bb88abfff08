/** What is fuzzed: a reader of bytes that come from somebody else. */

export interface Decoder {
  readonly name: string;
  /** Inputs it takes, to make broken ones of. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /**
   * Reads an input as the product does.
   * @throws only where the product would fail instead of refuse.
   */
  decode(bytes: Uint8Array<ArrayBuffer>): Verdict | Promise<Verdict>;
  /** Memory that reading one input may take, beside what is in proportion to its length. */
  readonly boundBytes: number;
  /** Gives back what decoding has opened. */
  close?(): Promise<void>;
}

/** An input was understood, or turned away in the way that its reader promises. */
export type Verdict = "taken" | "refused";

/** Lines of hex; comments begin with #. */
export async function hexLines(url: URL): Promise<Uint8Array<ArrayBuffer>[]> {
  const lines = (await Deno.readTextFile(url)).split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map(Uint8Array.fromHex);
}
