import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../src/cli/demo.ts";
import { Failure, OperatorError } from "../../src/cli/exit.ts";
import { capturedIo } from "./captured_io.ts";

Deno.test("demo leaves a directory alone that holds anything but an earlier demo", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(join(directory, "thesis.txt"), "three years of work");
  await assert.rejects(
    run(["--protocols", "mqtt", "--out", directory], capturedIo()),
    (error) => error instanceof OperatorError && /which holds other things/.test(error.message),
  );
  assert.equal(await Deno.readTextFile(join(directory, "thesis.txt")), "three years of work");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("demo leaves a real run's state alone", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(join(directory, "ledger.sqlite"), "");
  await assert.rejects(
    run(["--protocols", "mqtt", "--out", directory], capturedIo()),
    OperatorError,
  );
  await Deno.stat(join(directory, "ledger.sqlite"));
  await Deno.remove(directory, { recursive: true });
});

Deno.test("demo empties what an earlier demo left, and ends with a sentence when it is stopped", async () => {
  const directory = await Deno.makeTempDir();
  const args = ["--protocols", "mqtt", "--out", directory];
  const signal = AbortSignal.abort(new Error("Stopped by the operator"));
  const stopped = (error: unknown) =>
    error instanceof Failure && error.message === "the demo was stopped";
  await assert.rejects(run(args, capturedIo({ signal })), stopped);
  await Deno.writeTextFile(join(directory, "mqtt.safetensors"), "of an earlier demo");
  await assert.rejects(run(args, capturedIo({ signal })), stopped);
  await assert.rejects(Deno.stat(join(directory, "mqtt.safetensors")), Deno.errors.NotFound);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("demo refuses a format it does not know, and starts nothing", async () => {
  await assert.rejects(run(["--format", "xml"], capturedIo()), OperatorError);
});
