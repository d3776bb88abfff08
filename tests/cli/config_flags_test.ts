import assert from "node:assert/strict";
import { makeCommand, parse } from "../../src/cli/command.ts";
import { addConfigFlags, configOf } from "../../src/cli/config_flags.ts";
import { type Config, fields, readConfig } from "../../src/config.ts";
import { printConfig } from "../../src/config/print.ts";
import { type CapturedIo, capturedIo } from "./captured_io.ts";

async function configured(
  args: readonly string[],
  io: CapturedIo = capturedIo(),
): Promise<Config | undefined> {
  const command = addConfigFlags(
    makeCommand({ name: "tributary serve", description: "Serves.", examples: [] }, io),
  );
  await parse(command, args);
  return (await configOf(command, io))?.config;
}

Deno.test("configOf reads a flag of every kind", async () => {
  const config = await configured([
    ..."--rounds 5 --quorum 0.5 --protocols grpc,quic --mqtt-port 1884 --insecure".split(" "),
    ..."--no-web --settings epochs=2 --name mine --log-format json --seed=7".split(" "),
  ]);
  assert.equal(config?.training.rounds, 5);
  assert.equal(config.training.quorum, 0.5);
  assert.deepEqual(config.protocols, ["grpc", "quic"]);
  assert.equal(config.mqtt.port, 1884);
  assert.equal(config.insecure, true);
  assert.equal(config.web.enabled, false);
  assert.deepEqual(config.training.settings, { epochs: 2 });
  assert.equal(config.name, "mine");
  assert.equal(config.log.format, "json");
  assert.equal(config.training.seed, 7);
});

Deno.test("configOf puts flags above the environment above the file", async () => {
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(file, "insecure = true\n[training]\nrounds = 2\nquorum = 0.5\n");
    const io = capturedIo({ environment: { TRIBUTARY_QUORUM: "0.75", TRIBUTARY_SEED: "1" } });
    const config = await configured(
      ["--config", file, "--rounds", "3", "--no-insecure", "--seed", "2"],
      io,
    );
    assert.deepEqual(
      [config?.training.rounds, config?.training.quorum, config?.training.seed, config?.insecure],
      [3, 0.75, 2, false],
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("configOf reads the file that TRIBUTARY_CONFIG names, unless --config names another", async () => {
  const environment = { TRIBUTARY_CONFIG: "no/such.toml" };
  await assert.rejects(configured([], capturedIo({ environment })), {
    name: "ConfigError",
    message: "TRIBUTARY_CONFIG names no/such.toml, but there is no such file; name a TOML file",
  });
  await assert.rejects(configured(["--config", "other.toml"], capturedIo({ environment })), {
    message: "--config names other.toml, but there is no such file; name a TOML file",
  });
});

Deno.test("configOf only writes the configuration for --print-config", async () => {
  const io = capturedIo();
  assert.equal(await configured(["--rounds", "5", "--print-config"], io), undefined);
  assert.equal(io.written("stdout"), printConfig(readConfig({ flags: { rounds: "5" } })));
});

Deno.test("configOf refuses a wrong value with the schema's sentence", async () => {
  await assert.rejects(configured(["--rounds", "0"]), {
    name: "ConfigError",
    message: "--rounds is 0, but must be a whole number from 1 to 1000000",
  });
});

Deno.test("parse names the flag that was meant", async () => {
  await assert.rejects(configured(["--round", "5"]), {
    name: "OperatorError",
    message: "Unknown option '--round' (did you mean --rounds?); see `tributary serve --help`",
  });
});

Deno.test("parse names a flag whose value is missing", async () => {
  await assert.rejects(configured(["--rounds"]), {
    name: "OperatorError",
    message: "Option '--rounds <n>' argument missing; see `tributary serve --help`",
  });
});

Deno.test("addConfigFlags puts every setting into the help", async () => {
  const io = capturedIo({ columns: 110 });
  await assert.rejects(configured(["--help"], io), { name: "Answered" });
  const help = io.written("stdout");
  for (const { flag, shape } of fields) {
    const shown = shape.type === "boolean" && shape.default === true ? `--no-${flag}` : `--${flag}`;
    assert.match(help, new RegExp(`^  ${shown}[ \n]`, "m"));
  }
});

Deno.test("addConfigFlags names each group of settings, and every default, in words", async () => {
  const io = capturedIo();
  await assert.rejects(configured(["--help"], io));
  const help = io.written("stdout");
  const groups = [...help.matchAll(/^(.* settings):$/gm)].map(([, group]) => group);
  assert.deepEqual(
    groups,
    [
      ..."Training,Strategy,Limits,Log,TLS,Web,MQTT,AMQP,gRPC,QUIC,DDS".split(","),
      ..."MQTT broker,AMQP broker".split(","),
    ].map((group) => `${group} settings`),
  );
  assert.match(help, /--no-web +Do not serve the status page/);
  assert.doesNotMatch(help, /\(default: ?\)|\(default: "/);
});

Deno.test("a verb's help stays within 80 columns, however long an option is", async () => {
  const io = capturedIo();
  await assert.rejects(configured(["--help"], io));
  const lines = io.written("stdout").split("\n");
  const long = lines.filter((line) => line.length > 80);
  assert.deepEqual(long.filter((line) => !line.startsWith("  --strategy <")), []);
  const at = lines.findIndex((line) => line.startsWith("  --strategy <"));
  assert.match(lines[at + 1] ?? "", /^ {36,}How updates become the next model/);
});
