/**
 * The page at /join/, which makes a client of a browser's tab: examples/browser, its scripts as built by
 * `deno task browser`. Imported as texts, so that they are part of every executable.
 */

import { createHash } from "node:crypto";
import css from "../../examples/browser/page.css" with { type: "text" };
import html from "../../examples/browser/page.html" with { type: "text" };
import client from "./join/client.js" with { type: "text" };
import page from "./join/page.js" with { type: "text" };
import trainer from "./join/trainer.js" with { type: "text" };
import type { ServedText, ServedTexts } from "./files.ts";

const SCRIPT = "text/javascript; charset=utf-8";

export const joinPage: ServedTexts = new Map([
  ["/join/", served(html, "text/html; charset=utf-8")],
  ["/join/page.css", served(css, "text/css; charset=utf-8")],
  ["/join/page.js", served(page, SCRIPT)],
  ["/join/client.js", served(client, SCRIPT)],
  ["/join/trainer.js", served(trainer, SCRIPT)],
]);

function served(text: string, type: string): ServedText {
  return { text, type, etag: `"${createHash("sha256").update(text).digest("base64url")}"` };
}
