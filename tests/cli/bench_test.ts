import assert from "node:assert/strict";
import { run } from "../../src/cli/bench.ts";
import { OperatorError } from "../../src/cli/exit.ts";
import { capturedIo } from "./captured_io.ts";

/** Four parts. */
const BYTES = 1_000_000;

Deno.test("bench measures every wire in one round, each alone, and the floor of the machine", async () => {
  const io = capturedIo();
  const args = ["--protocols", "mqtt,grpc", "--bytes", String(BYTES), "--format", "json"];
  assert.equal(await run(args, io), 0, io.written("stderr"));
  const report = JSON.parse(io.written("stdout"));
  assert.equal(report.weight_bytes, BYTES);
  assert.deepEqual(report.mistakes, []);
  assert.deepEqual(Object.keys(report.together.wires), ["mqtt", "grpc"]);
  assert.deepEqual(Object.keys(report.alone), ["mqtt", "grpc"]);
  for (const wire of [...Object.values(report.together.wires), ...Object.values(report.alone)]) {
    const { down_mb_s, up_mb_s, down_ratio, up_ratio } = wire as Record<string, number>;
    assert.ok(Number(down_mb_s) > 0 && Number(up_mb_s) > 0, JSON.stringify(wire));
    for (const ratio of [down_ratio, up_ratio]) {
      assert.ok(Number(ratio) >= 1 && Number(ratio) < 1.1, JSON.stringify(wire));
    }
  }
  for (const round of [report.together, ...Object.values(report.alone)]) {
    assert.ok(round.seconds > 0 && round.round_close_ms > 0, JSON.stringify(round));
    // Finer than some kernels count.
    assert.ok(round.server_cpu_seconds >= 0 && round.longest_block_ms >= 0, JSON.stringify(round));
  }
  for (const name of ["memcpy_mb_s", "tcp_down_mb_s", "tcp_up_mb_s"]) {
    assert.ok(report.floor[name] > 0, name);
  }
  assert.ok(report.server.peak_rss_bytes > BYTES);
});

Deno.test("bench refuses an option it cannot use, and starts nothing", async () => {
  const mistakes: [string[], RegExp][] = [
    [["--bytes", "10"], /--bytes is "10", but must be a multiple of 4/],
    [["--bytes", "many"], /--bytes is "many"/],
    [["--bytes", "4000000000"], /to 800000000/],
    [["--format", "xml"], /--format is "xml", but must be text or json/],
  ];
  for (const [args, sentence] of mistakes) {
    await assert.rejects(
      run(args, capturedIo()),
      (error) => error instanceof OperatorError && sentence.test(error.message),
    );
  }
});

Deno.test("bench's help does not show how it starts its own clients", async () => {
  const io = capturedIo();
  await assert.rejects(run(["--help"], io));
  const help = io.written("stdout");
  assert.match(help, /--bytes <n>/);
  assert.doesNotMatch(help, /--client|--floor|--id/);
});
