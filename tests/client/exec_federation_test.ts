/** `join --exec` as people use it: processes that start processes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program } from "../support/program.ts";
import { decodeModel, encodeModel } from "./exec_model.ts";
import { SampleFolder } from "./sample_folder.ts";

const program = fileURLToPath(new URL("./exec_program.ts", import.meta.url));
const TRAIN = `'${Deno.execPath()}' run --quiet --no-check -A '${program}'`;
const URL_OF = (wire: string) => new RegExp(`^${wire} .*'(${wire}://[^']*)'`);

function serveArgs(wires: string, ...more: string[]): string[] {
  const ports = ["--no-web", ...wires.split(",").flatMap((wire) => [`--${wire}-port`, "0"])];
  return ["serve", "--model", "start", "--protocols", wires, ...ports, ...more];
}

async function workshop(): Promise<SampleFolder> {
  const folder = await SampleFolder.open();
  await folder.write("start", encodeModel({ w: [0, 0], steps: 0n }));
  await folder.write("one.csv", "1,2\n3,4\n");
  await folder.write("two.csv", "4,6\n");
  return folder;
}

Deno.test("two clients with programs of their own train one model, counters and all, and hold the same bytes", async () => {
  await using shop = await workshop();
  const { path } = shop;
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    new Program(
      serveArgs(
        "mqtt,grpc",
        ...["--min-clients", "2", "--rounds", "3", "--state", "run"],
        ...["--evaluate-fraction", "1", "--settings", "steps=4,learning_rate=0.75"],
      ),
      path,
    ),
  );
  const exec = ["--once", "--exec", TRAIN, "--log-level", "debug"];
  const one = stack.use(
    new Program(
      ["join", await server.says(URL_OF("mqtt")), "--data", "one.csv", "--out", "1", ...exec],
      path,
    ),
  );
  const two = stack.use(
    new Program(
      [
        ...["join", await server.says(URL_OF("grpc")), "--data", "two.csv", "--out", "2"],
        ...["--samples", "1", ...exec],
      ],
      path,
    ),
  );
  for (const client of [one, two]) {
    const { code, stderr } = await client.ended();
    assert.equal(code, 0, stderr);
    assert.match(stderr, / training {2}round=2 batch=3 batches=4 loss=/);
    assert.match(stderr, / evaluated {2}round=3 loss=/);
  }
  const { code, stderr } = await server.ended();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /model evaluated {2}round=3 by=clients/);
  const saved = await Deno.readFile(join(path, "run", "model.safetensors"));
  assert.deepEqual(await Deno.readFile(join(path, "1")), saved);
  assert.deepEqual(await Deno.readFile(join(path, "2")), saved);
  const { w, steps } = decodeModel(saved);
  assert.equal(steps, 12n); // of the client with most samples, round by round
  // The mean of all three points, but for what 12 steps leave: 0.25^12 of the way.
  assert.ok(Math.hypot(w[0] - 8 / 3, w[1] - 4) < 1e-3, `${w}`);
});

const ADDRESS = "grpc://127.0.0.1:1/default";
const MISTAKES: readonly [what: string, args: readonly string[], sentence: RegExp][] = [
  ["no trainer at all", [], /join needs --data, or --exec/],
  ["samples of a data set", ["--data", "one.csv", "--samples", "3"], /--samples belongs to --exec/],
  ["no count of samples", ["--exec", "true", "--samples", "many"], /--samples is "many"/],
  ["a program that does not count", ["--exec", "true"], /--exec: .* does not say how many samples/],
  ["a program that is not there", ["--exec", "nowhere.sh"], /--exec: .* code 127: .*not found/],
];

for (const [what, args, sentence] of MISTAKES) {
  Deno.test(`join refuses ${what} in one sentence, and ends with 2`, async () => {
    await using shop = await workshop();
    await using client = new Program(["join", ADDRESS, ...args], shop.path);
    const { code, stderr } = await client.ended();
    assert.equal(code, 2, stderr);
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  });
}

/** A client whose program holds a fifo, says where its files are, and heeds no SIGTERM. */
async function stubborn(stack: AsyncDisposableStack, signals: string) {
  const { path } = stack.use(await workshop());
  const server = stack.use(new Program(serveArgs("grpc"), path));
  const fifo = join(path, "fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const writersDead = Deno.readTextFile(fifo);
  const script = `${signals}
    exec 3> fifo
    echo "in $(dirname "$TRIBUTARY_TASK")"
    while :; do sleep 1000 & wait $!; done`;
  await Deno.writeTextFile(join(path, "program.sh"), script);
  const exec = ["--exec", "sh program.sh", "--samples", "1", "--log-level", "debug"];
  const client = stack.use(
    new Program(["join", await server.says(URL_OF("grpc")), ...exec], path),
  );
  const line = await client.logs(/trainer said .*in \//);
  const files = /in (\/[^"]*)/.exec(line)?.[1] ?? "";
  assert.ok((await Deno.stat(files)).isDirectory);
  return { client, files, writersDead };
}

Deno.test("join that is stopped ends its program first, and leaves no files", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, files, writersDead } = await stubborn(stack, "trap 'exit 0' TERM");
  client.kill("SIGINT");
  assert.equal((await client.ended()).code, 0);
  await assert.rejects(Deno.stat(files), Deno.errors.NotFound);
  await writersDead;
});

Deno.test("join that is stopped twice kills its program at once, and leaves no files", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, files, writersDead } = await stubborn(stack, "trap 'echo not yet' TERM");
  client.kill("SIGINT");
  await client.logs(/trainer said .*not yet/);
  client.kill("SIGINT");
  assert.equal((await client.ended()).code, 130);
  await assert.rejects(Deno.stat(files), Deno.errors.NotFound);
  await writersDead;
});
