/** `--format json`, the same for every verb that has it: one JSON document on one line, nothing else. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { grammarOf } from "../../src/cli/completions/grammar.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { readConfig } from "../../src/config.ts";
import { WebServer } from "../../src/web/server.ts";
import { assigned, initial, openVault, partsOf, send } from "../vault/federation_of_five.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { sampleStatus } from "../web/sample_status.ts";
import { capturedIo } from "./captured_io.ts";

/** A state directory with a closed round. */
function trained(): StateDirectory {
  const directory = new StateDirectory();
  using vault = openVault(directory.path);
  vault.open(initial());
  vault.begin(1, assigned(1));
  send(vault, partsOf("ann", 1));
  vault.close(1);
  vault.save(1, 1);
  return directory;
}

/** What each verb is asked, in a folder of its own; `page` is a server's status page. */
const ASKED: Readonly<
  Record<string, (places: { state: string; folder: string; page: string }) => string[]>
> = {
  status: ({ page }) => [page],
  runs: ({ state }) => ["--state", state],
  rounds: ({ state }) => ["--state", state],
  models: ({ state }) => ["--state", state],
  "models export": ({ state, folder }) => [
    ...["export", "1", "--state", state],
    ...["--out", join(folder, "model.safetensors")],
  ],
  token: ({ folder }) => ["create", "--client", "edge-1", "--state", folder],
  doctor: () => ["--protocols", "mqtt", "--mqtt-port", "0", "--no-web"],
  demo: ({ folder }) => ["--protocols", "mqtt", "--rounds", "1", "--out", join(folder, "demo")],
  bench: () => ["--protocols", "mqtt", "--bytes", "4000"],
};

Deno.test("every verb with --format is asked here", async () => {
  const grammar = await grammarOf(verbs, capturedIo());
  const having = grammar.filter(({ options }) =>
    options.some(({ names }) => names.includes("--format"))
  );
  const asked = new Set(Object.keys(ASKED).map((what) => what.split(" ")[0]));
  assert.deepEqual(having.map(({ name }) => name).sort(), [...asked].sort());
});

for (const [what, args] of Object.entries(ASKED)) {
  Deno.test(`${what} --format json writes one JSON document on one line to stdout`, async () => {
    using state = trained();
    using folder = new StateDirectory();
    const { config: { web } } = readConfig({ flags: { "web-port": "0" } });
    const ask = () => Promise.resolve(JSON.stringify(sampleStatus));
    await using page = new WebServer(web, ask);
    const places = { state: state.path, folder: folder.path, page: await page.listen() };
    const io = capturedIo({ terminal: true }); // no colour comes in between
    const [verb = ""] = what.split(" ");
    const module = await verbs[verb]?.load();
    assert.ok(module);
    assert.equal(await module.run([...args(places), "--format", "json"], io), 0);
    const text = io.written("stdout");
    assert.match(text, /^[{[].*[}\]]\n$/);
    JSON.parse(text);
  });

  Deno.test(`${what} refuses another --format by the same sentence`, async () => {
    const module = await verbs[what.split(" ")[0] ?? ""]?.load();
    const places = { state: "none", folder: "none", page: "http://127.0.0.1:9" };
    await assert.rejects(
      async () => await module?.run([...args(places), "--format", "xml"], capturedIo()),
      { name: "OperatorError", message: '--format is "xml", but must be text or json' },
    );
  });
}
