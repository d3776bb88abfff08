/** proto/ is what other people's clients build against: it agrees with what the product does. */

import assert from "node:assert/strict";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DescMessage, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import denoJson from "../deno.json" with { type: "json" };
import { fields } from "../src/config.ts";
import { DEFAULT_PART_BYTES, largestMessageBytes } from "../src/contract/codec.ts";
import {
  ClientMessageSchema,
  ServerMessageSchema,
  Verdict,
} from "../src/contract/federation_pb.ts";
import { decodeSafetensors } from "../src/weights/safetensors.ts";
import { isRejection } from "../src/weights/tensors.ts";
import { describedEnvelope } from "./support/envelope_type.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

// ------------------------------------------------------------------ generated code

/** Runs the commands of `deno task proto`, each into its own folder below `out`. Gives the folders. */
async function generate(out: string): Promise<string[]> {
  const commands = denoJson.tasks.proto.command.split(" && ").map((line) => line.split(" "));
  const folders: string[] = [];
  for (const [, ...args] of commands) {
    const folder = args.pop() ?? "";
    folders.push(folder);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, join(out, folder)],
      cwd: root,
      // The generator starts its plugin by the name of `deno`.
      env: { PATH: [dirname(Deno.execPath()), Deno.env.get("PATH")].join(delimiter) },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
  return folders;
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith("_pb.ts")
  ).sort();
}

Deno.test("the committed TypeScript is what `deno task proto` generates", async () => {
  const out = await Deno.makeTempDir({ prefix: "proto-" });
  try {
    const folders = await generate(out);
    assert.ok(folders.includes("src/contract"));
    for (const folder of folders) {
      assert.deepEqual(namesIn(join(root, folder)), namesIn(join(out, folder)));
      for (const name of namesIn(join(out, folder))) {
        const fresh = await Deno.readTextFile(join(out, folder, name));
        assert.equal(await Deno.readTextFile(join(root, folder, name)), fresh, name);
      }
    }
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

// ------------------------------------------------------------------ federation.idl

/** OMG IDL's names, and those of XTypes' kinds. */
const KINDS: Readonly<Record<string, string>> = {
  "string": "STRING8",
  "unsigned long long": "UINT64",
  "sequence<octet>": "SEQUENCE<BYTE>",
};

Deno.test("federation.idl's struct is the one DDS is told of", async () => {
  const idl = await Deno.readTextFile(join(root, "proto/federation.idl"));
  const code = idl.replaceAll(/\/\/.*$/gm, "");
  const [, annotation, name, body = ""] = /@(\w+)\s+struct (\w+) \{([^}]*)\}/.exec(code) ?? [];
  const members = body.split(";").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [, key, type = "", member] = /^(@key )?(.+) (\w+)$/.exec(line) ?? [];
    return { name: member, kind: KINDS[type], key: key !== undefined };
  });
  assert.deepEqual({ name, final: annotation === "final", members }, describedEnvelope());
});

// ------------------------------------------------------------------ wire.md

const wire = await Deno.readTextFile(join(root, "proto/wire.md"));
const VECTOR =
  /\*\*(.+?)\*\* \((ClientMessage|ServerMessage)\)\n\n```json\n([^`]*)```\n\n```hex\n([^`]*)```/g;
const vectors = [...wire.matchAll(VECTOR)].map(([, title = "", type, json = "", hex = ""]) => ({
  title,
  schema: type === "ClientMessage" ? ClientMessageSchema : ServerMessageSchema,
  json: JSON.parse(json),
  bytes: Uint8Array.fromHex(hex.replaceAll(/\s/g, "")),
}));

Deno.test("wire.md has a vector of every kind of message that a client must know", () => {
  const cases = vectors.flatMap(({ json }) => Object.keys(json));
  const due = ["hello", "welcome", "model_part", "model_held", "task", "update_part", "receipt"];
  for (const name of [...due, "finish", "leave", "closing"]) assert.ok(cases.includes(name), name);
});

for (const { title, schema, json, bytes } of vectors) {
  Deno.test(`wire.md's vector "${title}" decodes to what it says, and encodes back`, () => {
    holds(schema, json, bytes);
  });
}

function holds<Desc extends DescMessage>(
  schema: Desc,
  json: Parameters<typeof fromJson<Desc>>[1],
  bytes: Uint8Array,
): void {
  const decoded = fromBinary(schema, bytes);
  assert.deepEqual(toJson(schema, decoded, { useProtoFieldName: true }), json);
  assert.deepEqual(toBinary(schema, fromJson(schema, json)), bytes);
}

Deno.test("wire.md's model and update are safetensors of the values it names", () => {
  const values = vectors.flatMap(({ json }) => json.model_part ?? json.update_part ?? [])
    .map(({ bytes }) => {
      const tensors = decodeSafetensors(Uint8Array.fromBase64(bytes));
      assert.ok(!isRejection(tensors));
      const own = new Uint8Array(tensors.get("w")?.bytes ?? []);
      return [...new Float32Array(own.buffer)];
    });
  assert.deepEqual(values, [[0.5, -1], [0.25, -2]]);
});

Deno.test("wire.md says what to do on each verdict, with its number", () => {
  const rows = [...wire.matchAll(/^\| (\d+) +\| `(\w+)` +\|/gm)];
  const listed = rows.map(([, number, name]) => [name, Number(number)]);
  const all = Object.entries(Verdict).filter(([name, value]) =>
    typeof value === "number" && name !== "UNSPECIFIED"
  );
  assert.deepEqual(listed, all);
});

Deno.test("wire.md's limits and defaults are those of the code", () => {
  const set = (key: string) => Number(fields.find((field) => field.key === key)?.shape.default);
  const english = (value: number) => value.toLocaleString("en");
  const mebibytes = (key: string) => `${set(key) / (1024 * 1024)} MiB`;
  const largest = largestMessageBytes(DEFAULT_PART_BYTES);
  for (
    const claim of [
      `largest_part_bytes\` (${english(set("limits.part_bytes"))} unless configured)`,
      `a part + ${english(largest - DEFAULT_PART_BYTES)} bytes; larger ones are refused`,
      `window_bytes\` (${mebibytes("limits.window_bytes")} unless configured)`,
      `${set("limits.max_update_bytes") / 1024 ** 3} GiB unless configured; else \`OVERSIZED\``,
      `1 to ${english(set("limits.max_samples"))} unless configured`,
      `after ${set("limits.upload_expiry_ms") / 60_000} minutes unless configured`,
      `${english(largest)} bytes by default`,
      `${largest / 1024} KiB by default`,
      `streamWindowBytes\` (${mebibytes("grpc.stream_window_bytes")} by default`,
      `maxUnjudgedBytes\` (${mebibytes("limits.max_unjudged_bytes")} by default`,
    ]
  ) {
    assert.ok(wire.includes(claim), claim);
  }
});

Deno.test("wire.md has a section for every wire", () => {
  const sections = [...wire.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  assert.deepEqual(sections.slice(-5), [
    "MQTT",
    "AMQP 0-9-1",
    "gRPC",
    "QUIC and WebTransport",
    "DDS",
  ]);
});
