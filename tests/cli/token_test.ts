import assert from "node:assert/strict";
import { join } from "node:path";
import { credentialsOf } from "../../src/cli/credentials.ts";
import { exit, OperatorError } from "../../src/cli/exit.ts";
import { run } from "../../src/cli/token.ts";
import { ConfigError } from "../../src/config/config_error.ts";
import { isRefused, readToken } from "../../src/contract/token.ts";
import { LINE_TOPOLOGY } from "../support/line_model.ts";
import { readRevocations } from "../../src/server/revocations.ts";
import { Program } from "../support/program.ts";
import { tokenFor } from "../support/tokens.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { capturedIo } from "./captured_io.ts";

async function create(...args: string[]): Promise<string> {
  const io = capturedIo();
  assert.equal(await run(["create", ...args], io), exit.ok);
  assert.equal(io.written("stderr"), "");
  return io.written("stdout");
}

Deno.test("token create prints the token alone, made with the key of the state directory", async () => {
  using directory = new StateDirectory();
  const state = join(directory.path, "run");
  const text = await create("--client", "edge-1", "--name", "digits", "--state", state);
  assert.match(text, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const key = await Deno.readFile(join(state, "token.key"));
  const bearer = readToken(text.trim(), { key, federation: "digits" }, "edge-1");
  assert.ok(!isRefused(bearer));
  assert.equal(bearer.expiresMs, undefined);
});

Deno.test("token create --expires and --format json say until when", async () => {
  using directory = new StateDirectory();
  const before = Date.now();
  const args = ["--client", "edge-1", "--state", directory.path, "--expires", "30d"];
  const told = JSON.parse(await create(...args, "--format", "json"));
  const expiresMs = Date.parse(told.expires);
  assert.ok(expiresMs > before + 30 * 86_400_000 - 2000);
  assert.ok(expiresMs < Date.now() + 30 * 86_400_000 + 2000);
  assert.deepEqual([told.client, told.federation], ["edge-1", "default"]);
});

for (
  const [what, args, sentence] of [
    ["nothing to do", [], /missing required argument/i],
    ["something else to do", ["toString"], /token create/],
    ["two things to do", ["create", "revoke"], /too many arguments/i],
    ["nobody to revoke", ["revoke", "--state", "x"], /--client/],
    ["nowhere to revoke", ["revoke", "--client", "a"], /--state/],
    ["a state that is not there", ["revoke", "--client", "a", "--state", "none"], /--state/],
    ["no client", ["create", "--state", "x"], /--client/],
    ["no client's id", ["create", "--client", "a b", "--state", "x"], /--client is "a b"/],
    ["no key", ["create", "--client", "a"], /--state or --token-key/],
    ["a key that is not there", ["create", "--client", "a", "--token-key", "none"], /no such file/],
    ["no time", ["create", "--client", "a", "--state", "x", "--expires", "soon"], /30d/],
    ["no time at all", ["create", "--client", "a", "--state", "x", "--expires", "0d"], /30d/],
    ["no format", ["create", "--client", "a", "--state", "x", "--format", "xml"], /text or json/],
  ] as const
) {
  Deno.test(`token refuses ${what} in a sentence`, async () => {
    await assert.rejects(run(args, capturedIo()), sentence);
  });
}

Deno.test("token revoke makes void what a client has, and what is made next, at once, is good", async () => {
  using directory = new StateDirectory();
  const args = ["--client", "edge-1", "--state", directory.path];
  const before = (await create(...args)).trim();
  const said = capturedIo();
  assert.equal(await run(["revoke", ...args], said), exit.ok);
  assert.match(
    said.written("stdout"),
    /^Tokens of edge-1 made until .*Z are void; .* within 1 s\n$/,
  );
  const after = (await create(...args)).trim();
  const key = await Deno.readFile(join(directory.path, "token.key"));
  const revoked = await readRevocations(directory.path);
  const rule = { key, federation: "default", revoked };
  assert.ok(isRefused(readToken(before, rule, "edge-1")));
  assert.ok(!isRefused(readToken(after, rule, "edge-1")));
  const listed = capturedIo();
  assert.equal(await run(["revoked", "--state", directory.path], listed), exit.ok);
  assert.match(listed.written("stdout"), /^CLIENT +TOKENS VOID UNTIL\nedge-1 +\S+Z\n$/);
});

Deno.test("join takes its token from the command line, a file, or the environment", async () => {
  using directory = new StateDirectory();
  const token = tokenFor("a");
  const file = join(directory.path, "a.token");
  await Deno.writeTextFile(file, `${token}\n`);
  const environment = { TRIBUTARY_TOKEN: token };
  const found = { id: "a", token };
  assert.deepEqual(await credentialsOf({ token }, { environment: {} }), found);
  assert.deepEqual(await credentialsOf({ tokenFile: file }, { environment: {} }), found);
  assert.deepEqual(await credentialsOf({}, { environment }), found);
  assert.deepEqual(await credentialsOf({}, { environment: {} }), {
    id: undefined,
    token: undefined,
  });
  for (const flags of [{ token, tokenFile: file }, { token: "abc" }]) {
    await assert.rejects(credentialsOf(flags, { environment: {} }), OperatorError);
  }
  await assert.rejects(
    credentialsOf({ tokenFile: `${file}.none` }, { environment: {} }),
    ConfigError,
  );
});

Deno.test("join refuses the token of another client, and what is no id, before it joins", async () => {
  const io = { environment: {} };
  const token = tokenFor("edge-1");
  assert.deepEqual(await credentialsOf({ id: "edge-1", token }, io), { id: "edge-1", token });
  await assert.rejects(credentialsOf({ id: "edge-2", token }, io), {
    name: "OperatorError",
    message: "--token has the token of edge-1, but --id is edge-2: join with --id edge-1, or " +
      "with a token of edge-2",
  });
  await assert.rejects(credentialsOf({ id: "a b/c" }, io), {
    name: "OperatorError",
    message: '--id is "a b/c", but must be 1 to 64 characters of A-Z a-z 0-9 . _ -',
  });
});

Deno.test("serve --tokens required takes the client whose token the program made, and no other", async () => {
  await using directory = new AsyncDirectory();
  const { path } = directory;
  await Deno.writeTextFile(join(path, "train.csv"), "x,y,label\n1,0,1\n0,1,0\n1,1,1\n0,0,0\n");
  await Deno.writeTextFile(join(path, "layers.json"), LINE_TOPOLOGY);
  const serve = "serve --topology layers.json --no-web --protocols mqtt --mqtt-port 0 --rounds 1 " +
    "--state run --tokens required";
  await using server = new Program(serve.split(" "), path);
  const url = await server.says(/'(mqtt:\/\/[^']*)' --id ID --token-file FILE/);
  const joining = ["join", url, "--once", "--data", "train.csv", "--id", "edge-1"];
  await using stranger = new Program(joining, path);
  const refused = await stranger.ended();
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /get one from its operator/);
  await using maker = new Program(
    ["token", "create", "--client", "edge-1", "--state", "run"],
    path,
  );
  const made = await maker.ended();
  assert.equal(made.code, 0, made.stderr);
  await using client = new Program([...joining, "--token", made.stdout.trim()], path);
  const { code, stderr } = await client.ended();
  assert.equal(code, 0, stderr);
  assert.equal((await server.ended()).code, 0);
});

class AsyncDirectory implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync();

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
