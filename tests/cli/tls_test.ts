import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { exit, OperatorError } from "../../src/cli/exit.ts";
import { run as serve } from "../../src/cli/serve.ts";
import { run } from "../../src/cli/tls.ts";
import { capturedIo } from "./captured_io.ts";

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function init(...args: string[]): Promise<string> {
  const io = capturedIo();
  assert.equal(await run(["init", ...args], io), exit.ok);
  return io.written("stdout");
}

function certificateAt(...path: string[]): X509Certificate {
  return new X509Certificate(Deno.readTextFileSync(join(...path)));
}

Deno.test("tls init makes an authority and a certificate for the hosts, loopback and this machine", async () => {
  await using out = await folder();
  const said = await init("--out", out.path, "--host", "fl.example.org", "--host", "192.0.2.7");
  const server = certificateAt(out.path, "server.pem");
  assert.ok(server.verify(certificateAt(out.path, "ca.pem").publicKey));
  for (const name of ["fl.example.org", "localhost", hostname()]) {
    assert.equal(server.checkHost(name), name);
  }
  for (const address of ["192.0.2.7", "127.0.0.1", "::1"]) {
    assert.ok(server.checkIP(address) !== undefined, address);
  }
  const path = join(out.path, "server");
  assert.ok(said.includes(` --tls-cert ${path}.pem --tls-key ${path}-key.pem \\\n`));
  assert.ok(said.includes("tributary join mqtts://fl.example.org:1883/default --ca ca.pem "));
});

Deno.test("tls init says how to serve in a way that serve takes", async () => {
  await using out = await folder();
  const said = await init("--out", out.path, "--host", "192.0.2.7");
  const [, line = ""] = /^ {2}tributary serve ((?:.*\\\n)*.*)$/m.exec(said) ?? [];
  const io = capturedIo();
  assert.equal(await serve([...line.split(/[\s\\]+/), "--print-config"], io), exit.ok);
  assert.match(io.written("stdout"), /^hostname = "0\.0\.0\.0"/m);
});

Deno.test("tls init gives keys to nobody else", {
  ignore: Deno.build.os === "windows", // files have no mode there
}, async () => {
  await using state = await folder();
  await init("--state", state.path);
  for (const name of ["ca-key.pem", "server-key.pem"]) {
    const { mode } = await Deno.stat(join(state.path, "tls", name));
    assert.equal((mode ?? 0) & 0o777, 0o600, name);
  }
});

Deno.test("tls init overwrites nothing, and makes further certificates of the authority it finds", async () => {
  await using out = await folder();
  await init("--out", out.path);
  const before = await Deno.readTextFile(join(out.path, "server-key.pem"));
  await assert.rejects(init("--out", out.path), {
    name: "OperatorError",
    message: `${join(out.path, "server.pem")} is there already and is not overwritten; ` +
      "use it, remove it, or name another folder by --out",
  });
  assert.equal(await Deno.readTextFile(join(out.path, "server-key.pem")), before);
  const authority = certificateAt(out.path, "ca.pem");
  await Deno.remove(join(out.path, "server.pem"));
  await Deno.remove(join(out.path, "server-key.pem"));
  await init("--out", out.path, "--host", "new.example.org");
  assert.equal(certificateAt(out.path, "ca.pem").fingerprint256, authority.fingerprint256);
  assert.ok(certificateAt(out.path, "server.pem").verify(authority.publicKey));
});

Deno.test("tls init refuses half an authority, what is no host, and two folders", async () => {
  await using out = await folder();
  await init("--out", out.path);
  for (const name of ["server.pem", "server-key.pem", "ca-key.pem"]) {
    await Deno.remove(join(out.path, name));
  }
  const path = join(out.path, "ca");
  await assert.rejects(init("--out", out.path), {
    message: `${path}.pem is there without ${path}-key.pem; bring it back, or name another ` +
      "folder by --out",
  });
  // The last one took a pattern for ever that can match its letters in many ways.
  const hosts = ["a b", "https://example.org", "example.org:80", "", "a..b", `${"a".repeat(60)}_1`];
  for (const host of hosts) {
    await assert.rejects(init("--out", out.path, "--host", host), OperatorError, host);
  }
  await assert.rejects(init("--out", out.path, "--state", out.path), OperatorError);
});
