/** The program: finds the verb and turns what becomes of it into an exit code. */

import type { Command } from "commander";
import denoJson from "../../deno.json" with { type: "json" };
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, report } from "./exit.ts";
import { build } from "./build.ts";
import type { Io } from "./io.ts";
import { paint } from "./paint.ts";

/** What a verb's file exports. */
export interface VerbModule {
  /** What the verb's command line can have, to be read or to be told of. */
  command(io: Io): Command;
  /**
   * Does what the verb is for. `args` is all that follows the verb on the command line.
   * @throws {OperatorError | ConfigError | ListenError} exit 2
   * @throws {Failure} exit 1
   * @throws {Suspended} exit 3
   */
  run(args: readonly string[], io: Io): Promise<ExitCode>;
}

export interface Verb {
  readonly summary: string;
  load(): Promise<VerbModule>;
}

export type Verbs = Readonly<Record<string, Verb>>;

export const version: string = denoJson.version;

const text = {
  name: "tributary",
  description:
    "One server trains one model with clients on MQTT, AMQP, gRPC, QUIC and DDS at the same time.",
  examples: [
    ["tributary demo", "five clients on five wires train a digit classifier"],
    ["tributary serve --model model.safetensors --min-clients 2", "serve on every wire"],
    ["tributary join mqtt://127.0.0.1:1883/default --data train.csv", "train for that server"],
    ["tributary status", "see how far it is"],
  ],
} as const;

const EXIT_CODES = `
  0    what was asked for is done, or a server or client was stopped by Ctrl-C
  1    it failed
  2    the command line, a setting or this machine must be changed first; nothing was started
  3    the run had to stop and is kept: mend what the error says, and start it again
  130  Ctrl-C twice: ended at once`;

/** Runs the program. Never throws: an error becomes a sentence on stderr and an exit code. */
export async function runProgram(
  args: readonly string[],
  io: Io,
  verbs: Verbs,
): Promise<ExitCode> {
  try {
    return await dispatch(args, io, verbs);
  } catch (error) {
    return report(error, io.stderr);
  }
}

async function dispatch(args: readonly string[], io: Io, verbs: Verbs): Promise<ExitCode> {
  let code: ExitCode = exit.ok;
  const call = async (verb: Verb, args: readonly string[]) => {
    code = await (await verb.load()).run(args, io);
  };
  const program = makeCommand(text, io)
    .usage("<verb> [options]")
    .version(
      `${version} (${build}, Deno ${Deno.version.deno})`,
      "-v, --version",
      "show the version",
    )
    .enablePositionalOptions() // what follows a verb is the verb's
    .commandsGroup("Verbs:")
    .addHelpText("after", () => `\n${paint(io.stdout, "strong", "Exit codes:")}${EXIT_CODES}`);
  for (const [name, verb] of Object.entries(verbs)) {
    addVerb(program, name, verb).action((args: string[]) => call(verb, args));
  }
  program.command("help", { hidden: true }).argument("[verb]").action(async (name?: string) => {
    const verb = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb !== undefined) return await call(verb, ["--help"]);
    if (name === undefined) return program.help();
    await program.parseAsync([name], { from: "user" }); // no verb: it says which was meant
  });
  await parse(program, args.length === 0 ? ["--help"] : args);
  return code;
}

/** The verb reads its command line itself, once it is loaded. */
function addVerb(program: Command, name: string, verb: Verb): Command {
  return program.command(name)
    .summary(verb.summary)
    .usage("[options]")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument("[args...]");
}
