import assert from "node:assert/strict";
import { version } from "../src/cli/program.ts";

const main = new URL("../main.ts", import.meta.url);

/** The program as a process of its own. */
function tributary(...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", main.pathname, ...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
}

async function ended(...args: string[]) {
  const { code, stdout, stderr } = await tributary(...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("main.ts ends with 0 when it did what was asked", async () => {
  const stdout = `${version} (from sources, Deno ${Deno.version.deno})\n`;
  assert.deepEqual(await ended("--version"), { code: 0, stdout, stderr: "" });
});

Deno.test("main.ts ends with 2 and one sentence for an operator's mistake", async () => {
  assert.deepEqual(await ended("stats"), {
    code: 2,
    stdout: "",
    stderr: "error: Unknown command 'stats' (did you mean status?); see `tributary --help`\n",
  });
});

Deno.test("main.ts stops at the first SIGINT", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const process = tributary("status", `http://127.0.0.1:${port}`).spawn();
  // Its request is here, so it waits for an answer that never comes.
  using _connection = await listener.accept();
  process.kill("SIGINT");
  const { code, stderr } = await process.output();
  assert.equal(code, 1);
  assert.equal(
    new TextDecoder().decode(stderr),
    "error: Stopped before the server answered\n",
  );
});
