/** The house's rules: who may import whom, who may speak to the terminal, how long a file may be. */

import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../deno.json" with { type: "json" };

const root = fileURLToPath(new URL("../", import.meta.url));

/**
 * A room is a folder of src, or a file at its top together with the folder of its name. Each protocol
 * is a house of its own. What a room may import beside itself; README's "How it works" draws it.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  websocket: ["contract"],
  weights: [],
  printable: [],
  log: ["printable"],
  file_lock: [],
  private_directory: ["file_lock"],
  packages: [],
  strategies: ["weights"],
  vault: ["contract", "file_lock", "strategies", "weights"],
  metrics: ["contract"],
  web: ["contract", "packages"],
  "protocols/mqtt": ["contract", "websocket"],
  "protocols/amqp": ["contract"],
  "protocols/grpc": ["contract"],
  "protocols/quic": ["contract", "websocket"],
  "protocols/dds": ["contract"],
  protocols: [
    "contract",
    "protocols/mqtt",
    "protocols/amqp",
    "protocols/grpc",
    "protocols/quic",
    "protocols/dds",
  ],
  config: ["contract", "protocols", "strategies", "web"],
  init: ["config", "strategies"],
  events: ["config", "contract", "log", "metrics"],
  coordinator: ["contract", "events", "vault"],
  client: ["contract", "file_lock", "packages", "private_directory", "protocols", "weights"],
  server: [
    "client",
    "config",
    "contract",
    "coordinator",
    "events",
    "metrics",
    "protocols",
    "protocols/dds",
    "protocols/grpc",
    "protocols/quic",
    "strategies",
    "vault",
    "web",
    "weights",
  ],
  demo: ["config", "coordinator", "events", "metrics", "server"],
  bench: [
    "client",
    "config",
    "contract",
    "coordinator",
    "demo",
    "events",
    "log",
    "metrics",
    "protocols",
    "weights",
  ],
  cli: [
    "bench",
    "client",
    "config",
    "contract",
    "demo",
    "events",
    "init",
    "log",
    "metrics",
    "printable",
    "protocols",
    "protocols/dds",
    "protocols/grpc",
    "server",
    "strategies",
    "vault",
    "web",
  ],
  release: ["cli"],
  executable: ["cli", "private_directory", "protocols/dds", "protocols/grpc"],
};

/** Doors into a protocol's house from outside, and who may use them. */
const DOORS: Readonly<Record<string, readonly RegExp[]>> = {
  "src/protocols/mod.ts": [
    /^((broker_)?options|broker_visit|(websocket_)?client|support)\.ts$/,
    /worker\.ts$/,
  ], // the list of protocols
  "src/server/available.ts": [/^(library|cyclone|support)\.ts$/], // whether DDS and gRPC can run here
  "src/server/certificate.ts": [/^certificate\.ts$/], // QUIC's, made once and kept with the run
  "src/cli/doctor/runtime.ts": [/^support\.ts$/], // whether this Deno can serve gRPC
  "src/cli/doctor/libddsc.ts": [/^(library|cyclone)\.ts$/], // whether it loads
  "src/cli/set_up.ts": [/^(fetch_)?library\.ts$/], // brings libddsc
  "src/executable/build.ts": [/^(fetch_)?library\.ts$/], // puts libddsc inside
  "src/executable/compiler.ts": [/^support\.ts$/], // whether an executable can serve gRPC
  "src/executable/target.ts": [/^fetch_library\.ts$/], // whether there is a libddsc to put inside
  "src/executable/stand_ins/embedded_library.ts": [/^library\.ts$/], // hands it out
};

const MAX_LINES = 400;

/** Files that are longer, and why. */
const LONG_FILES: Readonly<Record<string, string>> = {
  "src/contract/federation_pb.ts": "generated",
  "tests/protocols/conformance.ts": "one suite that every wire answers to, read from end to end",
  "tests/protocols/amqp/channel_test.ts": "AMQP 0-9-1's channel methods, §1.5 to §1.8",
  "tests/protocols/amqp/connection_test.ts": "AMQP 0-9-1's connection methods, §1.4",
};

interface Import {
  /** The importing file, relative to the repository. */
  readonly from: string;
  /** A file, relative to the repository; or a package or builtin. */
  readonly to: string;
  readonly typesOnly: boolean;
}

/** Paths of the TypeScript files under a folder, relative to the repository. */
function sources(folder: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sources(path);
    return name.endsWith(".ts") ? [path] : [];
  });
}

function read(path: string): string {
  return Deno.readTextFileSync(join(root, path));
}

const STATEMENT = /^(?:import|export)\b([^"';]*?)\bfrom\s*"([^"]+)"/gm;
const BARE = /^import\s*"([^"]+)"/gm;
const DYNAMIC = /\bimport\("([^"]+)"\)/g;
/** A Worker's file, or a program's: loaded although no statement imports it. */
const WORKER = /new URL\(\s*"([^"]+\.ts)",\s*import\.meta\.url,?\s*\)/g;

function importsOf(from: string): Import[] {
  const code = read(from);
  const resolved = (to: string, typesOnly: boolean): Import => ({
    from,
    to: to.startsWith(".") ? relative(root, join(root, from, "..", to)) : to,
    typesOnly,
  });
  return [
    ...[...code.matchAll(STATEMENT)].map(([, what = "", to = ""]) =>
      resolved(to, /^\s*type\s/.test(what))
    ),
    ...[...code.matchAll(BARE), ...code.matchAll(DYNAMIC), ...code.matchAll(WORKER)]
      .map(([, to = ""]) => resolved(to, false)),
  ];
}

/** The room of a file of ours; undefined for packages and for what is not under src. */
function roomOf(path: string): string | undefined {
  const [top, room, house, inner] = path.split("/");
  if (top !== "src" || room === undefined) return undefined;
  if (room === "protocols" && inner !== undefined) return `protocols/${house}`;
  return room.replace(/\.ts$/, "");
}

const files = sources("src");
const imports = files.flatMap(importsOf);

Deno.test("every import statement is read, also one of many lines", () => {
  assert.ok(imports.length > 500, `only ${imports.length} imports`);
  const has = (from: string, to: string) =>
    assert.ok(imports.some((each) => each.from === from && each.to === to), `${from}: ${to}`);
  has("src/coordinator/rounds.ts", "src/coordinator/round.ts"); // many lines
  has("src/protocols/mod.ts", "src/protocols/quic/client.ts"); // dynamic
  has("src/protocols/mod.ts", "src/protocols/quic/worker.ts"); // a Worker
  has("src/protocols/grpc/server.ts", "src/protocols/grpc/environment.ts"); // for its effect
  has("src/vault/vault.ts", "node:crypto");
});

Deno.test("each room imports only what it may", () => {
  for (const { from, to } of imports) {
    const [importer, imported] = [roomOf(from), roomOf(to)];
    if (imported === undefined || importer === imported) continue;
    assert.ok(importer !== undefined && importer in MAY_IMPORT, `${from} is in no known room`);
    assert.ok(MAY_IMPORT[importer]?.includes(imported), `${from} must not import ${to}`);
  }
});

Deno.test("the rooms import each other in no circle", () => {
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]) => {
    assert.ok(!path.includes(room), [...path, room].join(" -> "));
    if (done.has(room)) return;
    for (const other of MAY_IMPORT[room] ?? []) visit(other, [...path, room]);
    done.add(room);
  };
  for (const room of Object.keys(MAY_IMPORT)) visit(room, []);
});

Deno.test("a protocol's house is entered by its doors only", () => {
  for (const { from, to } of imports) {
    const house = roomOf(to);
    if (!house?.startsWith("protocols/") || roomOf(from) === house) continue;
    const inner = to.slice(`src/${house}/`.length);
    assert.ok(DOORS[from]?.some((door) => door.test(inner)), `${from} must not enter ${to}`);
  }
});

Deno.test("the five houses have the same five rooms", () => {
  for (const house of ["mqtt", "amqp", "grpc", "quic", "dds"]) {
    for (const room of ["worker", "server", "client", "wire", "options"]) {
      assert.ok(files.includes(`src/protocols/${house}/${room}.ts`), `${house} has no ${room}.ts`);
    }
  }
});

Deno.test("the coordinator knows the vault by its types only, and touches no machine", () => {
  for (const { from, to, typesOnly } of imports) {
    if (roomOf(from) !== "coordinator") continue;
    assert.ok(roomOf(to) !== "vault" || typesOnly, `${from} runs ${to}`);
    assert.ok(!to.startsWith("node:"), `${from} imports ${to}`);
  }
  for (const path of files.filter((each) => roomOf(each) === "coordinator")) {
    assert.doesNotMatch(read(path), /\bDeno\./, path);
    if (!path.endsWith("/clock.ts")) {
      assert.doesNotMatch(read(path), /\b(setTimeout|setInterval|Date\.now|performance)\b/, path);
    }
  }
});

Deno.test("strategies and weights are pure: no machine, no time, no chance", () => {
  for (const path of files.filter((each) => /^src\/(strategies|weights)\//.test(each))) {
    assert.doesNotMatch(
      read(path),
      /\bDeno\.|"node:|\bfetch\(|setTimeout|Date\b|performance|Math\.random|crypto\./,
      path,
    );
  }
});

Deno.test("src/cli/io.ts alone speaks to the terminal", () => {
  for (const path of files) {
    if (path === "src/cli/io.ts") continue;
    assert.doesNotMatch(
      read(path),
      /\bconsole\.|\b(Deno|process)\.(stdout|stderr|stdin)\b/,
      path,
    );
  }
});

Deno.test(`no file has more than ${MAX_LINES} lines without a reason`, () => {
  for (const path of ["main.ts", ...files, ...sources("tests")]) {
    const lines = read(path).split("\n").length - 1;
    assert.ok(
      lines <= MAX_LINES || path in LONG_FILES || path.endsWith("_pb.ts"),
      `${path}: ${lines}`,
    );
  }
});

Deno.test("every package that is imported is in deno.json", () => {
  const known = Object.keys(denoJson.imports);
  for (const path of ["main.ts", ...files, ...sources("tests")]) {
    for (const { to } of importsOf(path)) {
      if (/^(node:|\w+\/.*\.\w+$|\.\.?\/|\w+\.(ts|json)$)/.test(to)) continue;
      assert.ok(known.some((name) => to === name || to.startsWith(`${name}/`)), `${path}: ${to}`);
    }
  }
});

Deno.test("no test lets a sanitizer off without saying why", () => {
  assert.equal(denoJson.test.sanitizeOps, true);
  assert.equal(denoJson.test.sanitizeResources, true);
  for (const path of sources("tests")) {
    if (path === "tests/architecture_test.ts") continue;
    const lines = read(path).split("\n");
    for (const [index, line] of lines.entries()) {
      if (!/\bsanitize\w+: false/.test(line)) continue;
      const around = lines.slice(Math.max(0, index - 4), index + 1).join("\n");
      assert.match(around, /\/\/|\*\//, `${path}:${index + 1}`);
    }
  }
});

Deno.test("an image is built with every file that the sources import", () => {
  const rules = read(".dockerignore").trim().split("\n");
  // The last rule that names a file, or a folder above it, counts.
  const isLeftOut = (path: string) => {
    const last = rules.findLast((rule) => {
      const parts = rule.replace(/^!/, "").split("*").map((part) => RegExp.escape(part));
      return new RegExp(`^${parts.join("[^/]*")}(?:/|$)`).test(path);
    });
    return last !== undefined && !last.startsWith("!");
  };
  assert.ok(isLeftOut("tests/architecture_test.ts") && isLeftOut("examples/go/go.mod"));
  const elsewhere = imports.map(({ to }) => to).filter((to) => /^(?!src\/)[^:@]+\.\w+$/.test(to));
  assert.ok(elsewhere.includes("deno.json") && elsewhere.includes("examples/browser/page.css"));
  assert.deepEqual(elsewhere.filter(isLeftOut), []);
});
