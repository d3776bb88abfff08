import assert from "node:assert/strict";
import { fields, readConfig, type Sources } from "../src/config.ts";
import { ConfigError } from "../src/config/config_error.ts";
import { warningsOf } from "../src/cli/serve.ts";
import { exposures, openBrokers, openDds } from "../src/config/contradictions.ts";

/** A TOML file as `--config federation.toml` gives it. */
function toml(text: string): Sources {
  return { file: { name: "federation.toml", text } };
}

/** The sentences with which a configuration is refused. */
function sentencesOf(sources: Sources): readonly string[] {
  try {
    readConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.sentences;
    throw error;
  }
  throw new Error("The configuration was taken");
}

Deno.test("readConfig has a default for everything that must be set", () => {
  const { config, given } = readConfig({});
  assert.equal(config.name, "default");
  assert.deepEqual(config.protocols, ["mqtt", "amqp", "grpc", "quic", "dds"]);
  assert.equal(config.training.rounds, 10);
  assert.equal(config.training.clientsPerRound, 1);
  assert.deepEqual(config.strategy, { name: "fedavg", options: {} });
  assert.equal(config.limits.partBytes, 256 * 1024);
  assert.equal(config.web.port, 8080);
  assert.equal(config.mqtt.port, 1883);
  assert.equal(config.amqp.port, 5672);
  assert.equal(config.grpc.port, 50051);
  assert.equal(config.quic.port, 4433);
  assert.equal(config.dds.domain, 0);
  assert.equal(config.state, undefined);
  assert.equal(given.size, 0);
});

Deno.test("readConfig puts flags above the environment, that above the file, that above defaults", () => {
  const sources: Sources = {
    ...toml("[training]\nrounds = 2\nquorum = 0.5\nmin_clients = 2\n"),
    environment: { TRIBUTARY_ROUNDS: "3", TRIBUTARY_QUORUM: "0.75" },
    flags: { rounds: "4" },
  };
  const { training } = readConfig(sources).config;
  assert.deepEqual([training.rounds, training.quorum, training.minClients], [4, 0.75, 2]);
});

Deno.test("readConfig merges records name by name across sources", () => {
  const { config } = readConfig({
    ...toml("[training.settings]\nepochs = 1\nbatch_size = 32\n"),
    environment: { TRIBUTARY_SETTINGS: "epochs=2,learning_rate=0.1" },
    flags: { settings: "epochs=3", strategy: "fedprox", "strategy-options": "mu=0.01" },
  });
  assert.deepEqual(config.training.settings, { epochs: 3, batch_size: 32, learning_rate: 0.1 });
  assert.deepEqual(config.strategy, { name: "fedprox", options: { mu: 0.01 } });
});

Deno.test("readConfig reads lists and switches from text", () => {
  const { config } = readConfig({
    environment: { TRIBUTARY_PROTOCOLS: "quic, mqtt", TRIBUTARY_INSECURE: "true" },
    flags: { web: false },
  });
  assert.deepEqual(config.protocols, ["quic", "mqtt"]);
  assert.equal(config.insecure, true);
  assert.equal(config.web.enabled, false);
});

Deno.test("readConfig says where a value came from", () => {
  const { given } = readConfig({
    ...toml("\n[mqtt]\nport = 1884\n"),
    environment: { TRIBUTARY_ROUNDS: "3" },
    flags: { web: false },
  });
  assert.equal(given.get("mqtt.port")?.where, "mqtt.port in federation.toml line 3");
  assert.equal(given.get("training.rounds")?.where, "TRIBUTARY_ROUNDS");
  assert.equal(given.get("web.enabled")?.where, "--no-web");
});

Deno.test("readConfig takes an empty environment variable for an unset one", () => {
  assert.equal(readConfig({ environment: { TRIBUTARY_STATE: "" } }).config.state, undefined);
});

Deno.test("readConfig leaves variables alone that describe a service called tributary", () => {
  const environment = {
    TRIBUTARY_SERVICE_HOST: "10.0.0.1",
    TRIBUTARY_SERVICE_PORT_MQTT: "1883",
    TRIBUTARY_PORT: "tcp://10.0.0.1:1883",
    TRIBUTARY_PORT_1883_TCP: "tcp://10.0.0.1:1883",
    TRIBUTARY_PORT_1883_TCP_ADDR: "10.0.0.1",
    TRIBUTARY_MQTT_PORT: "tcp://10.0.0.2:1883",
    TRIBUTARY_CONFIG: "federation.toml",
  };
  assert.equal(readConfig({ environment }).given.size, 0);
});

Deno.test("fields have one flag, one variable and one key each", () => {
  for (const name of ["flag", "env", "key"] as const) {
    const names = fields.map((field) => field[name]);
    assert.deepEqual(names, [...new Set(names)]);
  }
});

Deno.test("fields of time are few, and nobody must set one of them", () => {
  const times = fields.filter(({ key }) => key.endsWith("_ms"));
  assert.ok(times.length > 5 && times.length <= 16, times.map(({ key }) => key).join(", "));
  for (const { key, shape } of times) assert.ok(Number(shape.default) >= 0, key);
});

Deno.test("fields all say what they mean", () => {
  assert.deepEqual(fields.filter(({ meaning }) => meaning === "").map(({ key }) => key), []);
});

Deno.test("fields name the section in the flag unless it is training, limits or the top", () => {
  const flagOf = (key: string) => fields.find((field) => field.key === key)?.flag;
  assert.equal(flagOf("name"), "name");
  assert.equal(flagOf("training.round_timeout_ms"), "round-timeout-ms");
  assert.equal(flagOf("limits.max_samples"), "max-samples");
  assert.equal(flagOf("mqtt.port"), "mqtt-port");
  assert.equal(flagOf("log.level"), "log-level");
});

const refusals: readonly (readonly [claim: string, sources: Sources, sentences: string[]])[] = [
  ["a flag out of range", { flags: { rounds: "0" } }, [
    "--rounds is 0, but must be a whole number from 1 to 1000000",
  ]],
  ["a flag that is no number", { flags: { rounds: "ten" } }, [
    '--rounds is "ten", but must be a whole number from 1 to 1000000',
  ]],
  ["a fraction of a whole", { flags: { "min-clients": "1.5" } }, [
    "--min-clients is 1.5, but must be a whole number from 1 to 100000",
  ]],
  ["a fraction above 1", { flags: { quorum: "1.5" } }, [
    "--quorum is 1.5, but must be a number above 0 and at most 1",
  ]],
  ["neither fraction nor number", { flags: { "clients-per-round": "2.5" } }, [
    "--clients-per-round is 2.5, but must be a fraction above 0 and at most 1, " +
    "or a whole number above 1",
  ]],
  ["a time beyond what timers can wait", { flags: { "round-timeout-ms": "3000000000" } }, [
    "--round-timeout-ms is 3000000000, but must be a whole number from 1 to 604800000",
  ]],
  ["a name that no address can carry", { flags: { name: "a/b" } }, [
    '--name is "a/b", but must be 1 to 64 characters of A-Z a-z 0-9 . _ -, but neither . nor ..',
  ]],
  ["a wire that does not exist", { flags: { protocols: "mqt,grpc" } }, [
    '--protocols is "mqt,grpc", but must be a list of different ones of ' +
    "mqtt, amqp, grpc, quic, dds; did you mean mqtt?",
  ]],
  ["no wire at all", toml("protocols = []"), [
    'protocols in federation.toml line 1 is "", but must be a list of different ones of ' +
    "mqtt, amqp, grpc, quic, dds",
  ]],
  ["a wire twice", { flags: { protocols: "mqtt,mqtt" } }, [
    '--protocols is "mqtt,mqtt", but must be a list of different ones of ' +
    "mqtt, amqp, grpc, quic, dds",
  ]],
  ["pairs that are none", { flags: { settings: "epochs" } }, [
    '--settings is "epochs", but must be pairs of a name and a number, ' +
    "e.g. epochs=2,learning_rate=0.1",
  ]],
  ["a pair whose value is no number", { flags: { settings: "epochs=two" } }, [
    '--settings is {"epochs":"two"}, but must be pairs of a name and a number, ' +
    "e.g. epochs=2,learning_rate=0.1",
  ]],
  ["a choice that does not exist", { environment: { TRIBUTARY_LOG_LEVEL: "warn" } }, [
    'TRIBUTARY_LOG_LEVEL is "warn", but must be one of debug, info, warning, error; ' +
    "did you mean warning?",
  ]],
  ["a variable of another type", { environment: { TRIBUTARY_INSECURE: "yes" } }, [
    'TRIBUTARY_INSECURE is "yes", but must be true or false',
  ]],
  ["a misspelt variable", { environment: { TRIBUTARY_ROUND: "5" } }, [
    "The environment variable TRIBUTARY_ROUND names no setting; did you mean TRIBUTARY_ROUNDS?",
  ]],
  ["a variable like none of ours", { environment: { TRIBUTARY_XYZZY_PLUGH: "5" } }, [
    "The environment variable TRIBUTARY_XYZZY_PLUGH names no setting; unset it",
  ]],
  ["a misspelt key", toml("[training]\nround = 3\n"), [
    "federation.toml line 2: there is no setting training.round; did you mean training.rounds?",
  ]],
  ["a misspelt section", toml("[trainig]\nrounds = 3\n"), [
    "federation.toml line 1: there is no setting trainig; did you mean training?",
  ]],
  ["a key of another section", toml("rounds = 3\n"), [
    "federation.toml line 1: there is no setting rounds; did you mean training.rounds?",
  ]],
  ["a key like none of ours", toml("[training]\nxyzzy_plugh = 3\n"), [
    "federation.toml line 2: there is no setting training.xyzzy_plugh; remove it",
  ]],
  ["a section written as a value", toml("mqtt = 1883\n"), [
    "federation.toml line 1: mqtt is a section; write [mqtt] and its settings below it",
  ]],
  ["a value of another type in a file", toml('name = "x"\n\n[training]\nrounds = "ten"\n'), [
    'training.rounds in federation.toml line 4 is "ten", ' +
    "but must be a whole number from 1 to 1000000",
  ]],
  ["a file that is no TOML", toml("[training]\nrounds 3\n"), [
    "federation.toml line 2 is not TOML: illegal character in key; correct that line",
  ]],
  ["a host name where an address is needed", { flags: { "web-hostname": "localhost" } }, [
    '--web-hostname is "localhost", but must be an IP address of this machine, ' +
    "or 0.0.0.0 or :: for all of them",
  ]],
  ["what a protocol's own rule refuses", { flags: { "mqtt-hostname": "localhost" } }, [
    '--mqtt-hostname is "localhost", but must be an IP address of this machine, ' +
    "or 0.0.0.0 or :: for all of them",
  ]],
  ["a strategy that does not exist", { flags: { strategy: "fedpox" } }, [
    '--strategy is "fedpox", but must be one of fedavg, fedprox, fedavgm, fedadam, fedyogi, ' +
    "fedadagrad, median, trimmed_mean; did you mean fedprox?",
  ]],
  [
    "an option that the strategy does not have",
    { flags: { strategy: "fedprox", "strategy-options": "nu=1" } },
    ["--strategy-options: fedprox has no option nu; did you mean mu?"],
  ],
  ["an option of another strategy", toml("[strategy.options]\nmu = 1\n"), [
    "strategy.options in federation.toml line 1: fedavg has no option mu; it takes none",
  ]],
  [
    "an option of the strategy out of range",
    { flags: { strategy: "fedprox", "strategy-options": "mu=-1" } },
    ["mu in --strategy-options is -1, but must be a number of at least 0"],
  ],
  ["a page that other machines reach", { flags: { "web-hostname": "0.0.0.0" } }, [
    '--web-hostname is "0.0.0.0", which other machines can reach, and it has no TLS: give ' +
    "--tls-cert and --tls-key (`tributary tls init` makes them); use 127.0.0.1, or allow it by " +
    "--insecure",
  ]],
  ["a wire that other machines reach", toml('[quic]\nhostname = "::"\n'), [
    'quic.hostname in federation.toml line 2 is "::", which other machines can reach, and no ' +
    "tokens are asked for: give --tokens required; and it has no TLS: give --tls-cert and " +
    "--tls-key (`tributary tls init` makes them); use 127.0.0.1, or allow it by --insecure",
  ]],
  ["a certificate without its key", { flags: { "tls-cert": "server.pem" } }, [
    "The settings of [tls] do not fit together: give both --tls-cert and --tls-key, or neither",
  ]],
  ["an address that DDS cannot serve", { flags: { "dds-hostname": "::1" } }, [
    '--dds-hostname is "::1", but must be an IPv4 address of this machine',
  ]],
  ["DDS on a network with its standard port", { flags: { "dds-hostname": "192.0.2.1" } }, [
    '--dds-hostname is "192.0.2.1", which other machines can reach, and no tokens are asked ' +
    "for: give --tokens required; and DDS has no TLS here: whoever is on its network reads models and " +
    "updates, and can send what looks like a client's; use 127.0.0.1, or allow it by --insecure",
  ]],
  [
    "tokens without TLS where other machines reach a wire",
    { flags: { "mqtt-hostname": "0.0.0.0", tokens: "required", state: "run" } },
    [
      '--mqtt-hostname is "0.0.0.0", which other machines can reach, and it has no TLS: give ' +
      "--tls-cert and --tls-key (`tributary tls init` makes them); use 127.0.0.1, or allow it by " +
      "--insecure",
    ],
  ],
  ["tokens without a key", { flags: { tokens: "required" } }, [
    "--tokens is required, but there is no key for them; name --state or --token-key",
  ]],
  ["two listeners on one port", { flags: { "grpc-port": "1883" } }, [
    "--grpc-port is 1883, which is also the port of mqtt; " +
    "set --grpc-port or --mqtt-port to another one",
  ]],
  ["two listeners of MQTT on one port", { flags: { "mqtt-websocket-port": "1883" } }, [
    "--mqtt-websocket-port is 1883, which is also the port of mqtt; " +
    "set --mqtt-websocket-port or --mqtt-port to another one",
  ]],
  ["MQTT over WebSocket on the page's port", { flags: { "mqtt-websocket-port": "8080" } }, [
    "--web-port is 8080, which is also the port of MQTT over WebSocket; " +
    "set --web-port or --mqtt-websocket-port to another one",
  ]],
  ["MQTT and its WebSocket that other machines reach", {
    flags: { "mqtt-websocket-port": "8083", "mqtt-hostname": "0.0.0.0" },
  }, [
    '--mqtt-hostname is "0.0.0.0", which other machines can reach, and no tokens are asked ' +
    "for: give --tokens required; and it has no TLS: give --tls-cert and --tls-key " +
    "(`tributary tls init` makes them); use 127.0.0.1, or allow it by --insecure",
  ]],
  [
    "settings that contradict each other",
    { ...toml("[limits]\nwindow_bytes = 100_000\n"), flags: { "min-clients": "2000" } },
    [
      "--min-clients is 2000, above the 1000 of --max-clients; lower the one or raise the other",
      "--part-bytes is 262144, above the 100000 of limits.window_bytes in federation.toml line 2; " +
      "lower the one or raise the other",
    ],
  ],
  ["several at once, one sentence each", {
    ...toml("[training]\nround = 1\nquorum = 0\n"),
    environment: { TRIBUTARY_SEED: "-1" },
    flags: { rounds: "0" },
  }, [
    "federation.toml line 2: there is no setting training.round; did you mean training.rounds?",
    "--rounds is 0, but must be a whole number from 1 to 1000000",
    "training.quorum in federation.toml line 3 is 0, but must be a number above 0 and at most 1",
    "TRIBUTARY_SEED is -1, but must be a whole number from 0 to 4294967295",
  ]],
];

for (const [claim, sources, sentences] of refusals) {
  Deno.test(`readConfig refuses ${claim}`, () => {
    assert.deepEqual(sentencesOf(sources), sentences);
  });
}

Deno.test("readConfig lets a wire that is not served listen wherever it would", () => {
  readConfig({ flags: { "mqtt-hostname": "0.0.0.0", protocols: "grpc" } });
});

Deno.test("readConfig lets anything listen beyond loopback with --insecure", () => {
  const { config } = readConfig({ flags: { "mqtt-hostname": "0.0.0.0", insecure: true } });
  assert.equal(config.mqtt.hostname, "0.0.0.0");
});

Deno.test("readConfig lets every wire listen beyond loopback with a certificate and tokens", () => {
  const secure = {
    ...{ "tls-cert": "server.pem", "tls-key": "server-key.pem" },
    ...{ tokens: "required", "token-key": "token.key" },
  };
  const wires = ["mqtt", "amqp", "grpc", "quic", "web"];
  const everywhere = Object.fromEntries(wires.map((wire) => [`${wire}-hostname`, "0.0.0.0"]));
  const { config } = readConfig({
    flags: { ...everywhere, ...secure, "dds-hostname": "192.0.2.1" },
  });
  assert.deepEqual(exposures(config), []);
  assert.match(openDds(config) ?? "", /^DDS listens on 192\.0\.2\.1: .* can read models/);
  assert.equal(openDds(readConfig({}).config), undefined);
});

Deno.test("exposures() tells what --insecure lets other machines reach", () => {
  const flags = { "grpc-hostname": "0.0.0.0", "dds-hostname": "192.0.2.1", insecure: true };
  const found = exposures(readConfig({ flags }).config);
  assert.deepEqual(found.map(({ section, hostname }) => [section, hostname]), [
    ["grpc", "0.0.0.0"],
    ["dds", "192.0.2.1"],
  ]);
  assert.match(found[1]?.missing ?? "", /; and DDS has no TLS here: whoever is on its network/);
  assert.deepEqual(exposures(readConfig({}).config), []);
});

Deno.test("openBrokers() names each broker on another machine that --insecure lets be without tokens", () => {
  const brokers = { "mqtt-broker": "mqtt://192.0.2.1", "amqp-broker": "amqp://[2001:db8::1]/" };
  const { config } = readConfig({ flags: { ...brokers, insecure: true } });
  assert.deepEqual(openBrokers(config).map(({ section, hostname }) => [section, hostname]), [
    ["mqtt_broker", "192.0.2.1"],
    ["amqp_broker", "2001:db8::1"],
  ]);
  assert.match(
    warningsOf(config).join("\n"),
    /mqtt_broker is on 192\.0\.2\.1, .* --tokens required/,
  );
  const near = readConfig({ flags: { "mqtt-broker": "mqtt://127.0.0.1", insecure: true } }).config;
  assert.deepEqual(warningsOf(near), []);
  const tokens = { tokens: "required", "token-key": "token.key" };
  assert.deepEqual(openBrokers(readConfig({ flags: { ...brokers, ...tokens } }).config), []);
});

Deno.test("readConfig lets QUIC listen beyond loopback without a certificate, but not its WebSocket", () => {
  const tokens = { tokens: "required", "token-key": "token.key" };
  readConfig({ flags: { ...tokens, "quic-hostname": "0.0.0.0", "quic-websocket": false } });
  assert.equal(sentencesOf({ flags: { ...tokens, "quic-hostname": "0.0.0.0" } }).length, 1);
});

Deno.test("readConfig passes over TRIBUTARY_CA, which is the clients'", () => {
  readConfig({ environment: { TRIBUTARY_CA: "ca.pem" } });
});

Deno.test("readConfig lets brokers and DDS be elsewhere where tokens are required", () => {
  const brokers = { "mqtt-broker": "mqtt://192.0.2.1", "amqp-broker": "amqp://192.0.2.1" };
  const flags = { ...brokers, "dds-hostname": "192.0.2.1", tokens: "required" };
  readConfig({ flags: { ...flags, "token-key": "token.key" } });
  assert.throws(() => readConfig({ flags: { ...brokers, tokens: "off" } }), /tokens required/);
});

Deno.test("readConfig takes any loopback address and any number of free ports", () => {
  readConfig({
    flags: {
      "mqtt-hostname": "127.0.0.2",
      "grpc-hostname": "::1",
      "mqtt-port": "0",
      "web-port": "0",
    },
  });
});

Deno.test("ConfigError carries its sentences as its message", () => {
  assert.equal(new ConfigError(["One.", "Two."]).message, "One.\nTwo.");
});
