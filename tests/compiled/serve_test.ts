/** The server from the executable: how large, how soon it listens, and what it leaves behind. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { joinPage } from "../../src/web/join_page.ts";
import { packageFiles } from "../../src/web/packages.ts";
import { Program } from "../support/program.ts";
import { mountingTest, smallDisk } from "../support/small_disk.ts";
import { ANY_PORTS, EXECUTABLE, inDirectory, run } from "./executable.ts";

const LISTENING = /waiting for 1 client; Ctrl-C stops/;

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

Deno.test("serve listens; its size, the time it takes and the memory it holds are printed", () =>
  inDirectory(async (directory) => {
    print(`size  ${((await Deno.stat(EXECUTABLE)).size / 1e6).toFixed(1)} MB`);
    const begunMs = performance.now();
    await using server = run(["serve", ...ANY_PORTS], { directory });
    await server.says(LISTENING);
    print(`start to listening  ${(performance.now() - begunMs).toFixed(0)} ms`);
    const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
    const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    print(`idle RSS  ${(kib / 1024).toFixed(0)} MiB`);
    server.kill("SIGTERM");
    assert.equal((await server.ended()).code, 0);
  }));

Deno.test("serve may open as many files as the system would let it, not the shell's few", () =>
  inDirectory(async (directory) => {
    const few = ["-c", 'ulimit -Sn 200 && exec "$0" "$@"', EXECUTABLE];
    await using server = new Program(
      ["serve", "--protocols", "mqtt", "--mqtt-port", "0", "--no-web"],
      directory,
      { path: "/bin/sh", args: few, environment: {} },
    );
    await server.says(LISTENING);
    const limits = await Deno.readTextFile(`/proc/${server.pid}/limits`);
    const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits) ?? [];
    assert.equal(soft, hard);
    server.kill("SIGTERM");
    assert.equal((await server.ended()).code, 0);
  }));

Deno.test("serve has the page for browsers inside, with all that it loads", () =>
  inDirectory(async (directory) => {
    await using server = run([
      "serve",
      "--protocols",
      "quic",
      "--quic-port",
      "0",
      "--web-port",
      "0",
    ], {
      directory,
    });
    const page = await server.says(/status page (\S+);/);
    for (const path of [...joinPage.keys(), ...packageFiles().keys()]) {
      const response = await fetch(new URL(path, page));
      const bytes = await response.bytes();
      assert.equal(response.status, 200, path);
      assert.ok(bytes.length > 1000, path);
    }
    const labels = await fetch(new URL("/join/mnist/t10k-labels-idx1-ubyte", page));
    const unpacked = labels.body?.pipeThrough(new DecompressionStream("gzip"));
    assert.equal((await new Response(unpacked).bytes()).length, 8 + 10_000);
  }));

mountingTest(
  "serve leaves DDS out where its libddsc cannot be loaded, and says why",
  () =>
    inDirectory(async (directory) => {
      using disk = smallDisk("size=32m,noexec");
      assert.ok(disk);
      const environment = { TMPDIR: disk.path };
      await using server = run(["serve", ...ANY_PORTS], { directory, environment });
      await server.logs(/wire=dds .*Cannot use .* as libddsc: .*--dds-library/);
      await server.says(LISTENING);
      server.kill("SIGTERM");
      assert.equal((await server.ended()).code, 0);
      await using asked = run(["serve", "--protocols", "dds"], { directory, environment });
      const { code, stderr } = await asked.ended();
      assert.equal(code, 2);
      assert.match(stderr, /^error: Cannot use .* as libddsc: .*--dds-library$/m);
    }),
);

Deno.test("doctor names the wires that its Deno cannot serve, as serve does", () =>
  inDirectory(async (directory) => {
    await using server = run(["serve", ...ANY_PORTS], { directory });
    await server.says(LISTENING);
    server.kill("SIGTERM");
    const served = !/wire=grpc .*node:http2/.test((await server.ended()).stderr);
    await using doctor = run(["doctor", ...ANY_PORTS, "--format", "json"], { directory });
    const { stdout, stderr } = await doctor.ended();
    assert.equal(stderr, "");
    const findings: { check: string; state: string }[] = JSON.parse(stdout).checks;
    const found = findings.find(({ check }) => check === "deno");
    assert.equal(found?.state, served ? "ok" : "warning", stdout);
  }));

Deno.test("serve with a certificate speaks TLS, or says in one sentence that its Deno cannot", () =>
  inDirectory(async (directory) => {
    const made = await run(["tls", "init"], { directory }).ended();
    assert.equal(made.code, 0, made.stderr);
    const pair = ["--tls-cert", "tls/server.pem", "--tls-key", "tls/server-key.pem"];
    const flags = ["--protocols", "mqtt", "--mqtt-port", "0", "--no-web"];
    await using server = run(["serve", ...flags, ...pair], { directory });
    const answer = await Promise.race([
      server.says(/'(mqtts):/),
      server.logs(/^error: .*TLS over TCP needs a Deno whose node:tls can serve, .*/),
    ]);
    if (answer === "mqtts") server.kill("SIGTERM");
    assert.equal((await server.ended()).code, answer === "mqtts" ? 0 : 2);
  }));

Deno.test("--version names the commit it was built from, and its Deno", () =>
  inDirectory(async (directory) => {
    const { code, stdout } = await run(["--version"], { directory }).ended();
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^\d+\.\d+\.\d+ \(commit [0-9a-f]{12}( with changes)?, Deno \d+\.\d+\.\d+\)$/,
    );
  }));

Deno.test("serve leaves nothing in the temporary directory, nor what a killed one left there", () =>
  inDirectory(async (directory) => {
    const temporary = join(directory, "temporary");
    await Deno.mkdir(temporary);
    const names = () => [...Deno.readDirSync(temporary)].map(({ name }) => name);
    const start = async () => {
      const server = run(["serve", "--protocols", "dds", "--dds-port", "0", "--no-web"], {
        directory,
        environment: { TMPDIR: temporary },
      });
      await server.says(LISTENING);
      return server;
    };
    await using killed = await start();
    const [abandoned = ""] = names();
    assert.equal((Deno.statSync(join(temporary, abandoned)).mode ?? 0) & 0o777, 0o700);
    killed.kill("SIGKILL");
    await killed.ended();
    assert.deepEqual(names(), [abandoned]);
    await using first = await start();
    const used = names();
    assert.equal(used.length, 1);
    assert.notEqual(used[0], abandoned);
    await using second = await start();
    assert.equal(names().length, 2, "what a living process uses was removed");
    assert.ok(names().includes(used[0] ?? ""));
    for (const server of [first, second]) {
      server.kill("SIGTERM");
      assert.equal((await server.ended()).code, 0);
    }
    assert.deepEqual(names(), []);
  }));

Deno.test("serve says in one sentence that there is no temporary directory, and goes on without DDS", () =>
  inDirectory(async (directory) => {
    const environment = { TMPDIR: join(directory, "none") };
    const flags = ["--no-web", "--mqtt-port", "0", "--amqp-port", "0", "--quic-port", "0"];
    await using server = run(["serve", ...ANY_PORTS, ...flags], { directory, environment });
    await server.logs(/wire off\s+wire=dds reason="DDS needs a temporary directory[^"]*TMPDIR/);
    await server.says(LISTENING);
    const alone = run(["serve", "--protocols", "dds", "--no-web"], { directory, environment });
    const { code, stderr } = await alone.ended();
    assert.equal(code, 2);
    assert.match(stderr, /^error: DDS needs a temporary directory[^\n]*TMPDIR[^\n]*$/);
  }));
