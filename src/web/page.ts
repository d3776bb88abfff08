/** The status page: one plain document that asks `/status` every two seconds. */

/** A document and the policy that lets only its own script and style run. */
export interface Page {
  readonly html: string;
  /** Content-Security-Policy. */
  readonly policy: string;
}

export async function statusPage(): Promise<Page> {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tributary</title>
<style>${STYLE}</style>
<header><h1>Tributary <span id="name"></span></h1><p id="run"></p></header>
<progress id="progress" max="1" value="0" aria-label="rounds closed"></progress>
<p id="summary" role="status">Asking the server…</p>
<h2>Wires</h2><table id="wires"></table>
<h2>Clients</h2><table id="clients"></table>
<h2>Rounds</h2><table id="rounds"></table>
<footer><a href="join/">join with this browser</a> <a href="status">status as JSON</a> <a href="metrics">metrics</a></footer>
<script>${SCRIPT}</script>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src '${await digest(SCRIPT)}'`,
    `style-src '${await digest(STYLE)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}

async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${new Uint8Array(hash).toBase64()}`;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --faint: light-dark(#6b6b6b, #a0a0a0); --good: #2a9d5c; --bad: #d1495b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
header { display: flex; align-items: baseline; gap: 1rem; flex-wrap: wrap; }
h1 { font-size: 1.5rem; margin: 0; } h1 span { font-weight: 400; }
h2 { font-size: 1rem; margin: 2rem 0 .25rem; }
header p, footer, .none { color: var(--faint); margin: 0; }
progress { width: 100%; height: .6rem; accent-color: var(--good); margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--faint); }
td:first-child { font-weight: 500; }
.number { text-align: right; }
code { font-size: .85em; overflow-wrap: anywhere; }
.up { color: var(--good); } .down, .lost { color: var(--bad); }
footer { margin-top: 2rem; display: flex; gap: 1rem; } a { color: inherit; }
`;

// Text is only ever set as textContent: clients choose some of it.
const SCRIPT = `
"use strict";
const at = (id) => document.getElementById(id);
const bytes = (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < 4) { n /= 1024; unit++; }
  return (unit === 0 ? n : n.toFixed(1)) + " " + units[unit];
};
const fixed = (n, digits) => n === undefined ? "" : n.toFixed(digits);
function cell(row, tag, text, look) {
  const made = row.appendChild(document.createElement(tag));
  const inner = look === "code" ? made.appendChild(document.createElement("code")) : made;
  inner.textContent = text;
  if (look !== undefined && look !== "code") made.className = look;
}
function table(id, columns, entries, none) {
  const made = at(id);
  made.replaceChildren();
  if (entries.length === 0) {
    cell(made.appendChild(document.createElement("tr")), "td", none, "none");
    return;
  }
  const head = made.appendChild(document.createElement("tr"));
  for (const [title, , look] of columns) cell(head, "th", title, look === "number" ? look : undefined);
  for (const entry of entries) {
    const row = made.appendChild(document.createElement("tr"));
    for (const [, text, look] of columns) {
      cell(row, "td", text(entry), typeof look === "function" ? look(entry) : look);
    }
  }
}
function show(status) {
  at("name").textContent = status.name;
  at("run").textContent = "run " + status.run_id;
  at("progress").value = status.round / status.rounds;
  at("summary").className = "";
  at("summary").textContent = status.phase + ": " + status.round + " of " + status.rounds +
    " rounds closed, " + status.clients.length + " clients" +
    (status.waiting_for === undefined ? "" : "; waiting for " + status.waiting_for);
  table("wires", [
    ["wire", (w) => w.wire],
    ["state", (w) => w.state + (w.reason === undefined ? "" : ": " + w.reason),
      (w) => w.state === "off" ? "none" : w.state === "up" ? "up" : "down"],
    ["address", (w) => w.url, "code"],
    ["connections", (w) => w.connections, "number"],
    ["up", (w) => bytes(w.up_bytes), "number"],
    ["down", (w) => bytes(w.down_bytes), "number"],
  ], status.wires, "No wire is served.");
  table("clients", [
    ["client", (c) => c.id],
    ["wires", (c) => c.wires.join(", ")],
    ["state", (c) => c.state],
    ["samples", (c) => c.samples, "number"],
    ["last seen", (c) => (c.last_seen_ms_ago / 1000).toFixed(1) + " s ago", "number"],
  ], status.clients, "No client has joined yet.");
  table("rounds", [
    ["round", (r) => r.round],
    ["clients", (r) => r.clients, "number"],
    ["samples", (r) => r.samples, "number"],
    ["loss", (r) => fixed(r.loss, 4), "number"],
    ["accuracy", (r) => fixed(r.accuracy, 4), "number"],
    ["seconds", (r) => fixed(r.seconds, 1), "number"],
    ["model", (r) => r.model_sha256.slice(0, 12), "code"],
  ], status.history.toReversed(), "No round has closed yet.");
}
async function ask() {
  try {
    const response = await fetch("status");
    if (!response.ok) throw new Error(await response.text());
    show(await response.json());
  } catch (error) {
    at("summary").className = "lost";
    at("summary").textContent = "The server does not answer: " + error.message;
  }
  setTimeout(ask, 2000);
}
ask();
`;
