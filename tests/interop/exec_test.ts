/** The trainers of examples/trainers that run on numpy, behind `tributary join --exec`. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection } from "../../src/weights/tensors.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Program } from "../support/program.ts";
import { digits } from "./digits.ts";
import { pythonEnvironment, run } from "./environment.ts";

const trainer = fileURLToPath(new URL("../../examples/trainers/numpy_softmax.py", import.meta.url));
const WIRES = ["quic", "amqp"] as const;
const IMAGES = 6000;
const BATCH = 50;
const ROUNDS = 3;

Deno.test("two clients that train with numpy_softmax.py hold the same model, which knows digits and has counted its batches", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const { path } = folder;
  const python = await pythonEnvironment();
  const data = await digits(folder, IMAGES);
  await run(python, [trainer, "init", "784", "10", join(path, "start")]);
  const server = stack.use(
    new Program(
      [
        ...["serve", "--model", "start", "--no-web", "--protocols", WIRES.join(",")],
        ...WIRES.flatMap((wire) => [`--${wire}-port`, "0"]),
        ...["--min-clients", "2", "--rounds", String(ROUNDS), "--state", "run"],
        ...["--evaluate-fraction", "1", "--settings", `batch_size=${BATCH},epochs=2`],
      ],
      path,
    ),
  );
  const clients: Program[] = [];
  for (const [index, wire] of WIRES.entries()) {
    const url = await server.says(new RegExp(`^${wire} .*'(${wire}://[^']*)'`));
    const exec = `OPENBLAS_NUM_THREADS=1 '${python}' '${trainer}' --share ${index + 1}/2`;
    const args = ["--exec", exec, "--data", data, "--out", wire, "--log-level", "debug"];
    clients.push(stack.use(new Program(["join", url, "--once", ...args], path)));
  }
  for (const client of clients) {
    const { code, stderr } = await client.ended();
    assert.equal(code, 0, stderr);
    assert.match(stderr, / training {2}round=3 batch=\d+ batches=120 loss=/);
  }
  const { code, stderr } = await server.ended();
  assert.equal(code, 0, stderr);
  const [, accuracy] = /model evaluated {2}round=3 by=clients .*accuracy=(\S+)/.exec(stderr) ?? [];
  assert.ok(Number(accuracy) > 0.85, stderr);
  const saved = await Deno.readFile(join(path, "run", "model.safetensors"));
  for (const wire of WIRES) assert.deepEqual(await Deno.readFile(join(path, wire)), saved);
  const tensors = decodeSafetensors(saved);
  assert.ok(!isRejection(tensors));
  const { dtype, bytes } = tensors.get("batches") ?? assert.fail();
  const [batches] = new BigInt64Array(new Uint8Array(bytes).buffer);
  assert.equal(dtype, "I64");
  // Integers are not averaged: they come from one client, round by round.
  assert.equal(batches, BigInt(ROUNDS * 2 * IMAGES / 2 / BATCH));
});
