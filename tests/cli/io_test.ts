import assert from "node:assert/strict";
import { paint } from "../../src/cli/paint.ts";
import { ProgressBar } from "../../src/cli/progress.ts";
import { capturedIo } from "./captured_io.ts";

Deno.test("Output colours on a terminal only, and never against NO_COLOR or on a dumb one", () => {
  const coloured = (options: Parameters<typeof capturedIo>[0]) =>
    paint(capturedIo(options).stdout, "bad", "x");
  assert.equal(coloured({ terminal: true }), "\x1b[31mx\x1b[0m");
  assert.equal(coloured({ terminal: false }), "x");
  assert.equal(coloured({ terminal: true, environment: { NO_COLOR: "1" } }), "x");
  assert.equal(coloured({ terminal: true, environment: { NO_COLOR: "" } }), "\x1b[31mx\x1b[0m");
  assert.equal(coloured({ terminal: true, environment: { TERM: "dumb" } }), "x");
});

Deno.test("Output.bottomLine stays below what is written", () => {
  const io = capturedIo({ terminal: true });
  io.stderr.bottomLine("half");
  io.stderr.write("a line\n");
  io.stderr.bottomLine("");
  io.stderr.write("the end\n");
  assert.equal(
    io.written("stderr"),
    "half" + "\r\x1b[2K" + "a line\n" + "half" + "\r\x1b[2K" + "the end\n",
  );
});

Deno.test("Output.bottomLine makes way for the other output too", () => {
  const io = capturedIo({ terminal: true });
  io.stderr.bottomLine("half");
  io.stdout.write("a result\n");
  assert.equal(io.written("stdout"), "a result\n");
  assert.equal(io.written("stderr"), "half\r\x1b[2Khalf");
});

Deno.test("Output.bottomLine is cut before it would wrap", () => {
  const io = capturedIo({ terminal: true, columns: 5 });
  io.stderr.bottomLine("123456789");
  assert.equal(io.written("stderr"), "1234");
});

Deno.test("ProgressBar draws eighths of a cell and is gone in the end", () => {
  const io = capturedIo({ terminal: true, columns: 24 });
  {
    using bar = new ProgressBar(io.stderr, { label: "round", total: 8 });
    bar.update(3);
    bar.update(3); // nothing new, nothing drawn
    bar.update(8, "8 of 8");
  }
  const erase = "\r\x1b[2K";
  assert.equal(
    io.written("stderr"),
    "round ············· 0 %" + erase +
      "round ████▌······· 37 %" + erase +
      "round ██████████ 8 of 8" + erase,
  );
});

Deno.test("ProgressBar writes nothing where there is no terminal", () => {
  const io = capturedIo();
  using bar = new ProgressBar(io.stderr, { label: "round", total: 8 });
  bar.update(3);
  assert.equal(io.written("stderr"), "");
});

Deno.test("ProgressBar of nothing is empty, and more than all is full", () => {
  const io = capturedIo({ terminal: true, columns: 24 });
  using bar = new ProgressBar(io.stderr, { label: "x", total: 0 });
  bar.update(1, "-");
  assert.ok(!io.written("stderr").includes("█"));
  using more = new ProgressBar(io.stderr, { label: "x", total: 1 });
  more.update(2);
  assert.ok(io.written("stderr").endsWith("100 %"));
});
