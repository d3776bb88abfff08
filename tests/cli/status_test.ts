import assert from "node:assert/strict";
import { exit } from "../../src/cli/exit.ts";
import { run, view } from "../../src/cli/status.ts";
import { WebServer } from "../../src/web/server.ts";
import { loopbackTls } from "../support/tls.ts";
import { sampleStatus } from "../web/sample_status.ts";
import { capturedIo } from "./captured_io.ts";

/** A status page that answers `status` with this text. */
function pageOf(text: string): WebServer {
  const ask = () => Promise.resolve(text);
  return new WebServer({ enabled: true, hostname: "127.0.0.1", port: 0 }, ask);
}

const TABLES = `default  training, 2 of 5 rounds closed  run 8f3a1c5e

WIRE  STATE  CONNECTIONS       UP     DOWN  ADDRESS
mqtt  up               1  1.5 KiB  5.0 MiB  mqtt://127.0.0.1:1883/default
dds   off              0      0 B      0 B  libddsc was not found

CLIENT  STATE     SAMPLES      LAST SEEN  WIRES
edge-1  training     1200      0.3 s ago  mqtt
edge-2  idle          980  1 min 5 s ago  grpc, quic

ROUND  CLIENTS  SAMPLES    LOSS  ACCURACY  SECONDS  MODEL
    1        2     2180  0.4812    0.8731     12.3  abababababab
    2        2     2180       -         -      9.9  -
`;

Deno.test("status asks a running server and shows aligned tables", async () => {
  await using page = pageOf(JSON.stringify(sampleStatus));
  const io = capturedIo();
  assert.equal(await run([await page.listen()], io), exit.ok);
  assert.equal(io.written("stdout"), TABLES);
  assert.equal(io.written("stderr"), "");
});

Deno.test("status takes an address without scheme and path", async () => {
  await using page = pageOf(JSON.stringify(sampleStatus));
  const { host } = new URL(await page.listen());
  const io = capturedIo();
  assert.equal(await run([host], io), exit.ok);
});

Deno.test("status --format json writes the server's answer on one line, without colour", async () => {
  await using page = pageOf(JSON.stringify(sampleStatus));
  const io = capturedIo({ terminal: true });
  assert.equal(await run([await page.listen(), "--format", "json"], io), exit.ok);
  assert.equal(io.written("stdout"), JSON.stringify(sampleStatus) + "\n");
});

Deno.test("status says what is empty", () => {
  const text = view({ ...sampleStatus, clients: [], history: [] }, capturedIo().stdout);
  assert.ok(text.includes("\nNo client is here.\n"));
  assert.ok(text.endsWith("\nNo round has closed.\n"));
});

Deno.test("status colours a wire's state on a terminal", () => {
  const text = view(sampleStatus, capturedIo({ terminal: true }).stdout);
  assert.ok(text.includes("mqtt  \x1b[32mup\x1b[0m "));
});

Deno.test("status names the next step when no server answers", async () => {
  const closed = pageOf("");
  const url = await closed.listen();
  await closed[Symbol.asyncDispose]();
  await assert.rejects(run([url], capturedIo()), {
    name: "Failure",
    message: `No server answers at ${url}status; start one with \`tributary serve\`, ` +
      "or give the URL it prints",
  });
});

Deno.test("status says which of HTTP and HTTPS is meant", async () => {
  await using plain = pageOf("");
  const ask = () => Promise.resolve("");
  const options = { enabled: true, hostname: "127.0.0.1", port: 0, tls: loopbackTls };
  await using encrypted = new WebServer(options, ask);
  for (
    const [url, wrong, right] of [
      [(await encrypted.listen()).replace("https:", "http:"), "HTTP", "https"],
      [(await plain.listen()).replace("http:", "https:"), "HTTPS", "http"],
    ] as const
  ) {
    await assert.rejects(run([url], capturedIo()), {
      name: "Failure",
      message: `What answers at ${url}status does not speak ${wrong}; try ${right}://, ` +
        "or give the URL that the server prints",
    });
  }
});

Deno.test("status passes on why a server cannot answer", async () => {
  const ask = () => Promise.reject(new Error("The server is stopping"));
  await using page = new WebServer({ enabled: true, hostname: "127.0.0.1", port: 0 }, ask);
  const url = await page.listen();
  await assert.rejects(run([url], capturedIo()), {
    name: "Failure",
    message: `${url}status answers 503: The server is stopping`,
  });
});

Deno.test("status takes the page's address with and without what it asks there", async () => {
  await using page = pageOf("no wire is up");
  const url = await page.listen();
  for (const given of [url, url.slice(0, -1), `${url}status`, `${url}status/`]) {
    await assert.rejects(run(["--ready", given], capturedIo()), {
      message: `${url}readyz answers 503: Not ready: no wire is up`,
    });
  }
});

Deno.test("status --ready says nothing where clients are served", async () => {
  await using page = pageOf("");
  const io = capturedIo();
  assert.equal(await run(["--ready", await page.listen()], io), exit.ok);
  assert.equal(io.written("stdout") + io.written("stderr"), "");
});

Deno.test("status --ready fails with the reason where clients are not served", async () => {
  await using page = pageOf("no wire is up");
  const url = await page.listen();
  await assert.rejects(run(["--ready", url], capturedIo()), {
    name: "Failure",
    message: `${url}readyz answers 503: Not ready: no wire is up`,
  });
});

for (const text of ["<html>", '{"name":"other"}']) {
  Deno.test(`status tells a server that is not ours by ${text}`, async () => {
    await using page = pageOf(text);
    const url = await page.listen();
    await assert.rejects(run([url], capturedIo()), {
      name: "Failure",
      message: `${url}status answers, but is no Tributary server of this version`,
    });
  });
}

Deno.test("status stops when the operator does", async () => {
  await using page = new WebServer({ enabled: true, hostname: "127.0.0.1", port: 0 }, () => {
    stop.abort();
    return Promise.resolve("late");
  });
  const stop = new AbortController();
  await assert.rejects(run([await page.listen()], capturedIo({ signal: stop.signal })), {
    name: "Failure",
    message: "Stopped before the server answered",
  });
});

const mistakes: readonly (readonly [args: string[], message: string])[] = [
  [["foo://x"], '"foo://x" is no address of a status page; write e.g. http://127.0.0.1:8080/'],
  [["http://"], '"http://" is no address of a status page; write e.g. http://127.0.0.1:8080/'],
  [["--format", "xml"], '--format is "xml", but must be text or json'],
  [
    ["--fromat", "json"],
    "Unknown option '--fromat' (did you mean --format?); see `tributary status --help`",
  ],
  [
    ["a", "b"],
    "Too many arguments. Expected 1 argument but got 2: a, b; see `tributary status --help`",
  ],
];

for (const [args, message] of mistakes) {
  Deno.test(`status refuses ${args.join(" ")}`, async () => {
    await assert.rejects(run(args, capturedIo()), { name: "OperatorError", message });
  });
}
