/** Answers with content that does not change while the server runs. */

export interface ServedFile {
  readonly path: string;
  /** Content-Type. */
  readonly type: string;
}

export interface ServedText {
  readonly text: string;
  /** Content-Type. */
  readonly type: string;
  /** Another one for another text. */
  readonly etag: string;
}

/** Files by the paths of their URLs. */
export type ServedFiles = ReadonlyMap<string, ServedFile>;
/** Texts by the paths of their URLs. */
export type ServedTexts = ReadonlyMap<string, ServedText>;

/** 200 with the text, or 304 where the browser has it already (RFC 9110 §13.1.2). */
export function respondWithText(request: Request, { text, type, etag }: ServedText): Response {
  const headers = headersFor(type, etag);
  return isKnown(request, etag)
    ? new Response(null, { status: 304, headers })
    : new Response(text, { headers });
}

/**
 * The same with a file. Streams, because data sets are large.
 * @throws when the file cannot be read.
 */
export async function respondWithFile(
  request: Request,
  { path, type }: ServedFile,
): Promise<Response> {
  const { size, mtime } = await Deno.stat(path); // an executable's own files have no other
  const etag = `"${size.toString(36)}-${(mtime?.getTime() ?? 0).toString(36)}"`;
  const headers = headersFor(type, etag);
  if (isKnown(request, etag)) return new Response(null, { status: 304, headers });
  headers.set("content-length", String(size));
  if (request.method === "HEAD") return new Response(null, { headers });
  return new Response((await Deno.open(path)).readable, { headers });
}

function isKnown(request: Request, etag: string): boolean {
  return request.headers.get("if-none-match")?.includes(etag) ?? false;
}

function headersFor(type: string, etag: string): Headers {
  return new Headers({
    "content-type": type,
    "cache-control": "no-cache", // kept, but asked for each time
    "x-content-type-options": "nosniff",
    etag,
  });
}
