/**
 * The whole configuration as one schema: its type, defaults and validation, its flags, environment
 * variables and file keys, and the reference table are all read off `schema`.
 */

import * as z from "zod";
import { ConfigError } from "./config/config_error.ts";
import { contradictions } from "./config/contradictions.ts";
import { readEnvironment } from "./config/environment.ts";
import { type Field, fieldsOf } from "./config/fields.ts";
import { type Flags, readFlags } from "./config/flags.ts";
import { resolve, type Resolved, whereSet } from "./config/resolve.ts";
import { strategyMistakes } from "./config/strategy_options.ts";
import { tls } from "./config/tls.ts";
import { readToml, type TomlFile } from "./config/toml.ts";
import { DEFAULT_PART_BYTES } from "./contract/codec.ts";
import { brokerSections, PROTOCOLS, protocolSections } from "./protocols/mod.ts";
import { STRATEGIES, type StrategyName } from "./strategies/mod.ts";
import { options as web } from "./web/options.ts";

/** A week. setTimeout fires at once beyond 2^31 - 1 ms, about 25 days. */
const LONGEST_TIME_MS = 7 * 24 * 3600 * 1000;
const MOST_ROUNDS = 1_000_000;
const MOST_CLIENTS = 100_000;
/** The wire contract carries these as uint32. */
const LARGEST_UINT32 = 2 ** 32 - 1;

const MIB = 1024 * 1024;

function milliseconds(from = 1) {
  return z.int().min(from).max(LONGEST_TIME_MS);
}

function fraction() {
  return z.number().gt(0).lte(1);
}

function clients() {
  return z.int().min(1).max(MOST_CLIENTS);
}

function rounds() {
  return z.int().min(1).max(MOST_ROUNDS);
}

const training = z.strictObject({
  rounds: rounds().default(10).describe("Rounds to train, unless a stop condition comes first"),
  minClients: clients().default(1).describe("Clients that must be here before a round starts"),
  clientsPerRound: z.number().gt(0).lte(MOST_CLIENTS)
    .refine((value) => value <= 1 || Number.isInteger(value)).default(1)
    .meta({ takes: "a fraction above 0 and at most 1, or a whole number above 1" })
    .describe("Clients selected for a round: up to 1 a fraction of those here, above 1 a number"),
  quorum: fraction().default(1)
    .describe("Fraction of the selected clients whose updates suffice to close a round"),
  graceMs: milliseconds(0).default(5000)
    .describe("How long a round waits for further updates once it has its quorum"),
  roundTimeoutMs: milliseconds().default(600_000)
    .describe("When a round closes with the updates it has, quorum or not"),
  deadlineFactor: z.number().min(1).max(1000).optional().describe(
    "Makes the deadline adaptive: the 95th percentile of the newest rounds' durations times this, " +
      "at most the round timeout",
  ),
  evaluateFraction: z.number().min(0).max(1).default(0)
    .describe("Fraction of the clients that evaluate each model on their own data; 0 is none"),
  evaluationTimeoutMs: milliseconds().default(60_000)
    .describe("How long the clients' evaluations of one model are waited for"),
  metric: z.enum(["accuracy", "loss"]).default("accuracy")
    .describe("Metric of the global model that the target and the plateau look at"),
  target: z.number().optional().describe("Ends the run once the metric is as good as this"),
  plateauRounds: rounds().optional()
    .describe("Ends the run after so many rounds in a row without an improvement"),
  plateauMinDelta: z.number().min(0).default(0.001)
    .describe("How much better the metric must be to be an improvement"),
  convergedFraction: fraction().default(1)
    .describe("Ends the run once this fraction of the clients has left as converged"),
  seed: z.int().min(0).max(LARGEST_UINT32).default(0).describe(
    "Makes the selection of clients repeatable",
  ),
  model: z.string().min(1).optional().meta({ takes: "a path" })
    .describe("The model to start from, a safetensors file"),
  topology: z.string().min(1).optional().meta({ takes: "a path" })
    .describe("What clients build from the model's tensors, e.g. a tfjs layers JSON file"),
  testData: z.string().min(1).optional().meta({ takes: "a data set as `join --data` takes it" })
    .describe("Data on which the server itself evaluates the model of each round"),
  settings: z.record(z.string().regex(/^[A-Za-z][\w.]*$/), z.number()).default({})
    .meta({ takes: "pairs of a name and a number, e.g. epochs=2,learning_rate=0.1" })
    .describe("Numbers for the clients' trainers: epochs, batch_size, learning_rate, ..."),
});

const strategy = z.strictObject({
  name: z.enum(Object.keys(STRATEGIES) as StrategyName[]).default("fedavg")
    .meta({ flag: "strategy" })
    .describe("How updates become the next model"),
  options: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()])).default({})
    .meta({ takes: "pairs of a name and a value, e.g. mu=0.01" })
    .describe(
      "The strategy's own options, such as mu=0.01 of fedprox; `tributary init` writes them all",
    ),
});

const limits = z.strictObject({
  maxClients: clients().default(1000).describe("Clients in the federation at once"),
  maxConnections: clients().default(1000).describe("Connections on each wire at once"),
  proofTimeoutMs: milliseconds(100).default(30_000).describe(
    "Where tokens are required: in which a connection's client must have proven its id",
  ),
  maxSamples: z.int().min(1).max(LARGEST_UINT32).default(10_000_000).describe(
    "Samples one client may claim",
  ),
  maxUpdateBytes: z.int().min(1).default(1024 * MIB).describe("Length of one update"),
  maxBytesInFlight: z.int().min(1).default(4096 * MIB)
    .describe("Total length of the updates that are being uploaded; a further one gets `busy`"),
  maxUnjudgedBytes: z.int().min(1).max(LARGEST_UINT32).default(4 * MIB)
    .describe("What one connection may have sent without a verdict; beyond it, it is not read"),
  maxLabelBytes: z.int().min(0).max(256 * 1024).default(4096)
    .describe("Length of a client's labels, names and values, with what its software calls itself"),
  maxUnsentMessages: z.int().min(1).max(1_000_000).default(256)
    .describe(
      "Messages that wait for one client's connection to take them; beyond it, it is closed",
    ),
  partBytes: z.int().min(1024).max(4 * MIB).default(DEFAULT_PART_BYTES)
    .describe("Length of the parts in which models and updates travel"),
  windowBytes: z.int().min(1024).max(LARGEST_UINT32).default(4 * MIB)
    .describe("Parts under way to or from one client without acknowledgement"),
  heartbeatIntervalMs: milliseconds(100).max(LONGEST_TIME_MS / 3).default(10_000)
    .describe("How often an idle client is heard; silent for three of them, it is dropped"),
  uploadExpiryMs: milliseconds().default(600_000)
    .describe("An upload of which nothing arrives for so long is forgotten"),
  finishTimeoutMs: milliseconds().default(60_000)
    .describe("How long clients may take to confirm that they hold the final model"),
});

const log = z.strictObject({
  level: z.enum(["debug", "info", "warning", "error"]).default("info")
    .describe("The least important lines to write"),
  format: z.enum(["text", "json"]).default("text")
    .describe("Lines for people, or one JSON object a line"),
});

export const schema = z.strictObject({
  // URLs take . and .. for steps in the path.
  name: z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/).default("default")
    .meta({ takes: "1 to 64 characters of A-Z a-z 0-9 . _ -, but neither . nor .." })
    .describe("The federation's name, part of every address"),
  protocols: z.array(z.enum(PROTOCOLS)).min(1)
    .refine((names) => new Set(names).size === names.length).default([...PROTOCOLS])
    .meta({ takes: `a list of different ones of ${PROTOCOLS.join(", ")}` })
    .describe("The wires to serve"),
  state: z.string().min(1).optional().meta({ takes: "a directory" })
    .describe("Where the run is kept, so that it survives the process; unset, nothing is"),
  keepModels: z.int().min(1).max(MOST_ROUNDS).default(3).meta({ flag: "keep" })
    .describe("Models kept in the state directory, the newest"),
  keepRounds: z.int().min(1).max(MOST_ROUNDS).default(10_000)
    .describe("Rounds whose records are kept, and shown in the history, the newest"),
  stateMaxBytes: z.int().min(1).optional()
    .describe("What the state directory may hold; an update beyond it gets `busy`"),
  durability: z.enum(["process", "power", "none"]).default("process")
    .describe(
      "What an accepted update survives: the end of the process, a power cut, or nothing " +
        "(for benchmarks)",
    ),
  insecure: z.boolean().default(false)
    .describe("Listen beyond this machine although wires have no TLS, or clients no tokens"),
  tokens: z.enum(["off", "required"]).default("off")
    .describe("Whether a client must prove its id by a token that `tributary token create` made"),
  tokenKey: z.string().min(1).optional().meta({ takes: "a path" })
    .describe(
      "The key tokens are made with, 32 random bytes; unset, token.key in the state directory",
    ),
  training: training.prefault({}),
  strategy: strategy.prefault({}),
  limits: limits.prefault({}),
  log: log.prefault({}),
  tls: tls.prefault({}),
  web: web.prefault({}),
  ...protocolSections,
  ...brokerSections,
});

export type Config = z.output<typeof schema>;

/** Every setting, in the order of the reference table. */
export const fields: readonly Field[] = fieldsOf(schema);

/** Where settings come from, each above the one before; all are above the defaults. */
export interface Sources {
  readonly file?: TomlFile | undefined;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: Flags;
}

/**
 * The configuration that the sources make together.
 * @throws {ConfigError} with a sentence for each thing to change.
 */
export function readConfig(sources: Sources): Resolved<Config> {
  const resolved = resolve(schema, fields, [
    ...(sources.file === undefined ? [] : [readToml(sources.file, fields)]),
    readEnvironment(sources.environment ?? {}, fields),
    readFlags(sources.flags ?? {}, fields),
  ]);
  const where = (key: string) => whereSet(key, fields, resolved.given);
  const sentences = [
    ...contradictions(resolved.config, where),
    ...strategyMistakes(resolved.config.strategy, where("strategy.options")),
  ];
  if (sentences.length > 0) throw new ConfigError(sentences);
  return resolved;
}
