import assert from "node:assert/strict";
import { openLog } from "../src/log.ts";

/** What is written, with times replaced. */
function captured(colours = false) {
  const texts: string[] = [];
  return {
    colours,
    write: (text: string) => void texts.push(text.replace(/\d{4}-[\d-]+T[\d:.]+Z/, "TIME")),
    text: () => texts.join(""),
  };
}

Deno.test("openLog writes a line for people, fields after the message", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "text", output });
  log.write("info", "round closed", { round: 3, seconds: 1.23456789, ok: true, gone: undefined });
  log.write("warning", "wire off", { reason: "not found" });
  log.write("error", "vault failed", {});
  assert.equal(
    output.text(),
    "TIME info    round closed  round=3 seconds=1.23457 ok=true\n" +
      'TIME warning wire off  reason="not found"\n' +
      "TIME error   vault failed\n",
  );
});

Deno.test("openLog writes one JSON object a line for programs", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "json", output });
  log.write("info", "round closed", { round: 3, wires: ["mqtt", "quic"], gone: undefined });
  assert.equal(
    output.text(),
    '{"time":"TIME","level":"info","message":"round closed","round":3,"wires":["mqtt","quic"]}\n',
  );
});

Deno.test("openLog leaves out what is below its level", () => {
  const output = captured();
  using log = openLog({ level: "warning", format: "json", output });
  log.write("debug", "a", {});
  log.write("info", "b", {});
  log.write("warning", "c", {});
  assert.equal(output.text().split("\n").length, 2);
});

Deno.test("openLog colours only where the output does", () => {
  const output = captured(true);
  using log = openLog({ level: "info", format: "text", output });
  log.write("error", "wire down", { wire: "amqp" });
  assert.equal(
    output.text(),
    "\x1b[90mTIME\x1b[0m \x1b[31merror  \x1b[0m wire down  \x1b[90mwire=\x1b[0mamqp\n",
  );
});

Deno.test("openLog lets no peer forge a line or move the cursor", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "text", output });
  log.write("warning", "peer refused", { reason: "x\nTIME info run stopped \x1b[2J" });
  assert.equal(
    output.text(),
    'TIME warning peer refused  reason="x\\nTIME info run stopped \\u001b[2J"\n',
  );
});

Deno.test("openLog lets no name of a peer's metric move the cursor, nor C1 controls or marks of direction", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "text", output });
  log.write("info", "finished", { "\x1b[2Jloss": 1, reason: "\x9b2J\u202e\u2028" });
  assert.equal(
    output.text(),
    'TIME info    finished  "\\u001b[2Jloss"=1 reason="\\u009b2J\\u202e\\u2028"\n',
  );
});

Deno.test("openLog lets no field of a peer's take the place of a JSON line's own", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "json", output });
  log.write("info", "finished", { level: 3, time: 4, message: 5, loss: 1, reason: "\x9b2J" });
  assert.equal(
    output.text(),
    '{"time":"TIME","level":"info","message":"finished","loss":1,"reason":"\\u009b2J"}\n',
  );
});

for (const format of ["text", "json"] as const) {
  Deno.test(`openLog clips what a peer says at length (${format})`, () => {
    const output = captured();
    using log = openLog({ level: "info", format, output });
    log.write("warning", "peer refused", { reason: "x".repeat(500_000) });
    assert.ok(output.text().includes(`${"x".repeat(2000)}…`));
    assert.ok(output.text().length < 2200);
  });
}

Deno.test("openLog takes braces in fields and messages for what they are", () => {
  const output = captured();
  using log = openLog({ level: "info", format: "text", output });
  log.write("info", "run {started}", { name: "{name}" });
  assert.equal(output.text(), 'TIME info    run {started}  name="{name}"\n');
});

Deno.test("openLog writes nothing after its disposal", () => {
  const output = captured();
  const log = openLog({ level: "info", format: "text", output });
  log[Symbol.dispose]();
  log.write("info", "late", {});
  assert.equal(output.text(), "");
});
