import assert from "node:assert/strict";
import { exit } from "../../src/cli/exit.ts";
import { run } from "../../src/cli/join.ts";
import { Federation } from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { mqtt } from "../support/mqtt.ts";
import { capturedIo } from "./captured_io.ts";

/** Gives the model back as it is. */
const TRAINER = "cp $TRIBUTARY_MODEL $TRIBUTARY_OUT && " +
  `echo '{"samples": 10, "metrics": {}}' > $TRIBUTARY_RESULT`;
/** The second wire is overdue after the fourth. */
const ROUNDS = 6;

/** What `join` writes about a federation on two wires. */
async function joined(more: readonly string[], wires = 2): Promise<string> {
  await using federation = await Federation.open({
    subjects: [grpc, mqtt],
    placement: "in process",
    plan: { rounds: ROUNDS },
  });
  const io = capturedIo();
  const urls = [federation.url("grpc"), federation.url("mqtt")].slice(0, wires);
  assert.equal(
    await run([...urls, "--once", "--id", "a", "--exec", TRAINER, "--samples", "10", ...more], io),
    exit.ok,
  );
  return io.written("stderr");
}

const offWindows = { ignore: Deno.build.os === "windows" }; // --exec needs a POSIX shell

Deno.test(
  "join --explain shows each choice of a wire, with what was seen of all",
  offWindows,
  async () => {
    const lines = (await joined(["--explain"])).split("\n");
    const choices = lines.filter((line) => line.startsWith("wire: "));
    assert.equal(choices.length, ROUNDS);
    assert.match(
      choices[0] ?? "",
      /^wire: stay on grpc:.*: what the others cost is not known yet$/,
    );
    const tried = lines.findIndex((line) => /^wire: try mqtt:.*: it was never tried$/.test(line));
    assert.match(lines[tried + 1] ?? "", /^ +WIRE +STANDING +CONNECT +DOWN +UP +FAILURES +A ROUND/);
    assert.match(lines[tried + 2] ?? "", /^ +grpc:\S+ +well +\d+\.\d+ s /);
    assert.match(lines[tried + 3] ?? "", /^> +mqtt:\S+ +untried +- +- +- +0\.0 +- /);
  },
);

Deno.test("join --explain --log-format json is lines of JSON alone", offWindows, async () => {
  const lines = (await joined(["--explain", "--log-format", "json"])).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  const chosen = lines.filter(({ message }) => message === "wire chosen");
  assert.equal(chosen.length, ROUNDS);
  assert.deepEqual(
    [chosen[0].choice, chosen[0].reason],
    ["stay on", "what the others cost is not known yet"],
  );
  const seen = lines.filter(({ message }) => message === "wire seen");
  assert.equal(seen.length, 2 * ROUNDS);
  assert.ok(seen[0].cost_s > 0 && seen[0].standing === "well");
});

Deno.test("join without --explain tells only of moves", offWindows, async () => {
  const lines = (await joined([])).split("\n");
  assert.ok(lines.some((line) => /info +wire chosen +choice="?try/.test(line)));
  assert.ok(!lines.some((line) => /stay on|STANDING/.test(line)));
});

Deno.test("join --explain with one address explains nothing", offWindows, async () => {
  assert.doesNotMatch(await joined(["--explain"], 1), /wire: |STANDING|wire chosen/);
});
