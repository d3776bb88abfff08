import assert from "node:assert/strict";
import { respondWithFile, respondWithText } from "../../src/web/files.ts";
import { SampleFolder } from "../client/sample_folder.ts";

const URL_OF_IT = "http://127.0.0.1:8080/join/it";
const type = "text/plain; charset=utf-8";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  await using folder = await SampleFolder.open();
  await test(await folder.write("it.txt", "as it is\n"));
}

function ask(more: RequestInit = {}): Request {
  return new Request(URL_OF_IT, more);
}

Deno.test("respondWithFile() gives the whole file, with its type and length", () =>
  withFile(async (path) => {
    const response = await respondWithFile(ask(), { path, type });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), type);
    assert.equal(response.headers.get("content-length"), "9");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.equal(await response.text(), "as it is\n");
  }));

Deno.test("respondWithFile() gives nothing that the browser has, and all once it has changed", () =>
  withFile(async (path) => {
    const first = await respondWithFile(ask({ method: "HEAD" }), { path, type });
    assert.deepEqual([first.status, await first.text()], [200, ""]);
    const etag = first.headers.get("etag") ?? "";
    const known = ask({ headers: { "if-none-match": etag } });
    const second = await respondWithFile(known, { path, type });
    assert.deepEqual([second.status, second.headers.get("etag")], [304, etag]);
    await Deno.writeTextFile(path, "other\n");
    const third = await respondWithFile(known, { path, type });
    assert.equal(await third.text(), "other\n");
  }));

Deno.test("respondWithFile() rejects where there is no file", () =>
  withFile(async (path) => {
    await assert.rejects(respondWithFile(ask(), { path: `${path}x`, type }), Deno.errors.NotFound);
  }));

Deno.test("respondWithText() gives the text once", async () => {
  const served = { text: "as it is", type, etag: '"1"' };
  const first = respondWithText(ask(), served);
  assert.deepEqual([first.status, await first.text()], [200, "as it is"]);
  assert.equal(first.headers.get("content-type"), type);
  const again = respondWithText(ask({ headers: { "if-none-match": '"1"' } }), served);
  assert.equal(again.status, 304);
  const other = respondWithText(ask({ headers: { "if-none-match": '"0"' } }), served);
  assert.equal(other.status, 200);
});
