/** `serve` and `join` as people use them: processes, files, signals. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { LINE_TOPOLOGY, linePoints } from "../support/line_model.ts";
import { lastingPort } from "../support/lasting_port.ts";
import { Program } from "../support/program.ts";

/** A directory with what a small federation needs. */
async function workshop(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  await Deno.writeTextFile(join(path, "topology.json"), LINE_TOPOLOGY);
  for (const seed of [1, 2]) {
    await Deno.writeTextFile(join(path, `train${seed}.csv`), linePoints(200, seed));
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const serveArgs = (...more: string[]) => [
  "serve",
  "--topology",
  "topology.json",
  "--no-web",
  "--mqtt-port",
  "0",
  "--grpc-port",
  "0",
  ...more,
];

const URL_OF = (wire: string) => new RegExp(`^${wire} .*'(${wire}://[^']*)'`);

Deno.test("serve and two clients on two wires train a model of one's own, and all hold the same bytes", async () => {
  await using shop = await workshop();
  await using server = new Program(
    serveArgs("--protocols", "mqtt,grpc", "--rounds", "3", "--min-clients", "2", "--state", "run"),
    shop.path,
  );
  const clients = [
    ["join", await server.says(URL_OF("mqtt")), "--once", "--data", "train1.csv", "--out", "one"],
    ["join", await server.says(URL_OF("grpc")), "--once", "--data", "train2.csv", "--out", "two"],
  ].map((args) => new Program(args, shop.path));
  await using stack = new AsyncDisposableStack();
  for (const client of clients) stack.use(client);
  const ends = await Promise.all(clients.map((client) => client.ended()));
  for (const { code, stderr } of ends) assert.equal(code, 0, stderr);
  const { code, stdout, stderr } = await server.ended();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /3 rounds are done; 2 clients hold the final model/);
  const saved = await Deno.readFile(join(shop.path, "run", "model.safetensors"));
  assert.ok(stdout.includes(createHash("sha256").update(saved).digest("hex")));
  for (const out of ["one", "two"]) {
    assert.deepEqual(await Deno.readFile(join(shop.path, out)), saved);
  }
  const history = JSON.parse(await Deno.readTextFile(join(shop.path, "run", "history.json")));
  assert.equal(history.length, 3);
});

Deno.test("serve that is stopped tells its clients, and goes on in the same run when started again", async () => {
  await using shop = await workshop();
  const port = String(lastingPort());
  const args = [
    ...["--protocols", "grpc", "--grpc-port", port, "--rounds", "2", "--min-clients", "2"],
    ...["--state", "run"],
  ];
  await using first = new Program(serveArgs(...args), shop.path);
  const url = await first.says(URL_OF("grpc"));
  const runId = await first.says(/, run (\S+)/);
  await using client = new Program(["join", url, "--once", "--data", "train1.csv"], shop.path);
  await client.logs(/welcomed/);
  first.kill("SIGINT");
  const stopped = await first.ended();
  assert.equal(stopped.code, 0, stopped.stderr);
  await client.logs(/connection lost|server not reached/);
  await using second = new Program(serveArgs(...args), shop.path);
  assert.equal(await second.says(/, run (\S+)/), runId);
  await using other = new Program(["join", url, "--once", "--data", "train2.csv"], shop.path);
  assert.equal((await client.ended()).code, 0);
  assert.equal((await other.ended()).code, 0);
  assert.equal((await second.ended()).code, 0);
  const third = await new Program(serveArgs(...args), shop.path).ended();
  assert.equal(third.code, 2);
  assert.match(third.stderr, /^error: The run in run is over .* choose another --state/);
});

Deno.test("serve without a state directory tells its clients that it is gone for good", async () => {
  await using shop = await workshop();
  await using server = new Program(
    serveArgs("--protocols", "mqtt", "--min-clients", "2"),
    shop.path,
  );
  const url = await server.says(URL_OF("mqtt"));
  await using client = new Program(["join", url, "--once", "--data", "train1.csv"], shop.path);
  await client.logs(/welcomed/);
  server.kill("SIGTERM");
  assert.equal((await server.ended()).code, 0);
  const { code, stderr } = await client.ended();
  assert.equal(code, 1);
  assert.match(stderr, /error: The server shut down before the run ended/);
});

Deno.test("serve that is told twice to stop ends at once", async () => {
  await using shop = await workshop();
  await using server = new Program(serveArgs("--protocols", "mqtt,grpc"), shop.path);
  await server.says(URL_OF("mqtt"));
  // Both wait until it runs again: it cannot have ended between them.
  for (const signal of ["SIGSTOP", "SIGTERM", "SIGINT", "SIGCONT"] as const) server.kill(signal);
  assert.equal((await server.ended()).code, 130);
});

Deno.test("serve that is stopped while clients train saves the round, and goes on in it", async () => {
  await using shop = await workshop();
  const port = String(lastingPort());
  const args = [
    ...["--protocols", "mqtt", "--mqtt-port", port, "--rounds", "20", "--min-clients", "2"],
    ...["--state", "run"],
  ];
  await using first = new Program(serveArgs(...args, "--log-level", "debug"), shop.path);
  const url = await first.says(URL_OF("mqtt"));
  // It trains until it is let go: however fast the other one is, no round closes before.
  await Deno.writeTextFile(
    join(shop.path, "held.sh"),
    `until [ -e go ]; do sleep 0.1; done; cp "$TRIBUTARY_MODEL" "$TRIBUTARY_OUT"\n`,
  );
  const trainers = [["--data", "train1.csv"], ["--exec", "sh held.sh", "--samples", "200"]];
  const clients = trainers.map((trainer) =>
    new Program(["join", url, "--once", ...trainer], shop.path)
  );
  await using stack = new AsyncDisposableStack();
  for (const client of clients) stack.use(client);
  await first.logs(/update accepted/);
  first.kill("SIGTERM");
  assert.equal((await first.ended()).code, 0);
  await using second = new Program(serveArgs(...args), shop.path);
  await second.logs(/run restored from its state .*updates=1/);
  await Deno.writeTextFile(join(shop.path, "go"), "");
  const { code, stdout, stderr } = await second.ended();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /20 rounds are done; 2 clients hold the final model/);
  for (const client of clients) assert.equal((await client.ended()).code, 0);
});

Deno.test("join that is stopped tells the server, which waits for others", async () => {
  await using shop = await workshop();
  await using server = new Program(
    serveArgs("--protocols", "grpc", "--min-clients", "2"),
    shop.path,
  );
  const url = await server.says(URL_OF("grpc"));
  await using client = new Program(["join", url, "--data", "train1.csv"], shop.path);
  await client.logs(/welcomed/);
  client.kill("SIGINT");
  assert.equal((await client.ended()).code, 0);
  await server.logs(/client left .*reason=shutting_down/);
  server.kill("SIGINT");
  assert.equal((await server.ended()).code, 0);
});

const MISTAKES: readonly [what: string, args: readonly string[], sentence: RegExp][] = [
  ["a model that is not there", ["serve", "--model", "none.safetensors"], /--model names none/],
  ["a model that is none", ["serve", "--model", "topology.json"], /not a safetensors file/],
  ["a topology that is none", ["serve", "--topology", "train1.csv"], /topology/i],
  ["an unknown option", ["serve", "--round", "3"], /--rounds/],
  ["a wire that is none", ["join", "ftp://127.0.0.1/default", "--data", "train1.csv"], /scheme/],
  ["no URL", ["join", "nowhere", "--data", "train1.csv"], /is no URL/],
  ["data that is not there", ["join", "grpc://127.0.0.1:1/default", "--data", "x.csv"], /x\.csv/],
  ["a host beyond this machine", ["serve", "--mqtt-hostname", "0.0.0.0"], /insecure/],
  ["a label without a name", [
    "join",
    "grpc://127.0.0.1:1/default",
    "--data",
    "train1.csv",
    "--label",
    "x",
  ], /name=value/],
];

for (const [what, args, sentence] of MISTAKES) {
  Deno.test(`${args[0]} refuses ${what} in one sentence, and ends with 2`, async () => {
    await using shop = await workshop();
    await using program = new Program([...args], shop.path);
    const { code, stdout, stderr } = await program.ended();
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    const left = [...Deno.readDirSync(shop.path)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["topology.json", "train1.csv", "train2.csv"]);
  });
}

Deno.test("serve refuses a port in use in one sentence, and starts nothing", async () => {
  await using shop = await workshop();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using program = new Program(
    ["serve", "--no-web", "--protocols", "mqtt,grpc", "--grpc-port", "0", "--mqtt-port", `${port}`],
    shop.path,
  );
  const { code, stdout, stderr } = await program.ended();
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  const errors = stderr.split("\n").filter((line) => line.startsWith("error:"));
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", new RegExp(`127\\.0\\.0\\.1:${port}.*--mqtt-port`));
});

Deno.test("serve and join over TLS need the certificate of tls init, and no more", async () => {
  await using shop = await workshop();
  const made = await new Program(["tls", "init"], shop.path).ended();
  assert.equal(made.code, 0, made.stderr);
  const pair = (key: string) => ["--tls-cert", "tls/server.pem", "--tls-key", `tls/${key}`];
  const state = ["--state", "run"];
  const wrong = await new Program(serveArgs(...pair("ca-key.pem"), ...state), shop.path).ended();
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^error: --tls-key names tls\/ca-key\.pem, whose key is not that of/);
  await assert.rejects(Deno.stat(join(shop.path, "run")), Deno.errors.NotFound);

  await using server = new Program(
    serveArgs("--protocols", "mqtt,grpc", "--rounds", "1", "--min-clients", "2").concat(
      pair("server-key.pem"),
    ),
    shop.path,
  );
  const mqtt = await server.says(/'(mqtts:\/\/[^']*)'/);
  const grpc = await server.says(/'(grpcs:\/\/[^']*)'/);
  await using distrustful = new Program(["join", mqtt, "--data", "train1.csv"], shop.path);
  assert.match(await distrustful.logs(/server not reached/), /certificate/);
  const clients = [["train1.csv", mqtt], ["train2.csv", grpc]].map(([data = "", url = ""]) =>
    new Program(["join", url, "--once", "--ca", "tls/ca.pem", "--data", data], shop.path)
  );
  for (const client of clients) {
    const { code, stderr } = await client.ended();
    assert.equal(code, 0, stderr);
  }
  const { code, stderr } = await server.ended();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /peer refused {2}wire=mqtt .*UnknownCA/);
});
