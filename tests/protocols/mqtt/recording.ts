/** What a stock client said, as frames/README.md describes it: the bytes of each read. */

export async function recorded(name: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const text = await Deno.readTextFile(new URL(`./frames/${name}.txt`, import.meta.url));
  return text.trim().split("\n").map((line) => Uint8Array.fromHex(line));
}
