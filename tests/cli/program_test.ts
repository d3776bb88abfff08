import { Command } from "commander";
import assert from "node:assert/strict";
import { Answered, exit, Failure, OperatorError, Suspended } from "../../src/cli/exit.ts";
import type { Io } from "../../src/cli/io.ts";
import { runProgram, type Verbs, version } from "../../src/cli/program.ts";
import { ConfigError } from "../../src/config/config_error.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { capturedIo } from "./captured_io.ts";

/** A program of one verb that does what it is told. */
function verbsOf(run: (args: readonly string[], io: Io) => void): Verbs {
  return {
    serve: {
      summary: "serve something",
      load: () =>
        Promise.resolve({
          command: () => new Command("serve"),
          run: (args, io) => {
            run(args, io);
            return Promise.resolve(exit.ok);
          },
        }),
    },
  };
}

async function ended(args: readonly string[], verbs: Verbs = verbsOf(() => {})) {
  const io = capturedIo();
  const code = await runProgram(args, io, verbs);
  return { code, stdout: io.written("stdout"), stderr: io.written("stderr") };
}

Deno.test("runProgram hands a verb all that follows it, and ends with its code", async () => {
  let heard: readonly string[] = [];
  const verbs = verbsOf((args) => {
    heard = args;
  });
  const { code } = await ended(["serve", "--rounds", "5", "x", "--help", "-v"], verbs);
  assert.equal(code, 0);
  assert.deepEqual(heard, ["--rounds", "5", "x", "--help", "-v"]);
});

Deno.test("runProgram loads a verb only when it is called", async () => {
  const verbs: Verbs = {
    ...verbsOf(() => {}),
    broken: { summary: "", load: () => Promise.reject(new Error("was loaded")) },
  };
  assert.equal((await ended(["serve"], verbs)).code, 0);
  assert.equal((await ended(["broken"], verbs)).code, 1);
});

Deno.test("runProgram --help lists verbs, examples and exit codes", async () => {
  const { code, stdout, stderr } = await ended(["--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout,
    `Usage: tributary <verb> [options]

One server trains one model with clients on MQTT, AMQP, gRPC, QUIC and DDS at
the same time.

Options:
  -v, --version  show the version
  -h, --help     show this help

Verbs:
  serve          serve something

Examples:
  # five clients on five wires train a digit classifier
  tributary demo
  # serve on every wire
  tributary serve --model model.safetensors --min-clients 2
  # train for that server
  tributary join mqtt://127.0.0.1:1883/default --data train.csv
  # see how far it is
  tributary status

Exit codes:
  0    what was asked for is done, or a server or client was stopped by Ctrl-C
  1    it failed
  2    the command line, a setting or this machine must be changed first; nothing was started
  3    the run had to stop and is kept: mend what the error says, and start it again
  130  Ctrl-C twice: ended at once
`,
  );
});

Deno.test("runProgram without a verb shows the help", async () => {
  assert.deepEqual(await ended([]), await ended(["--help"]));
  assert.deepEqual(await ended(["help"]), await ended(["--help"]));
});

Deno.test("runProgram help VERB asks the verb for its help", async () => {
  let heard: readonly string[] = [];
  const verbs = verbsOf((args) => {
    heard = args;
  });
  await ended(["help", "serve"], verbs);
  assert.deepEqual(heard, ["--help"]);
});

Deno.test("runProgram --version is the version of deno.json, the build and Deno's version", async () => {
  const { code, stdout } = await ended(["--version"]);
  const built = `(from sources, Deno ${Deno.version.deno})`;
  assert.deepEqual([code, stdout], [0, `${version} ${built}\n`]);
  const json = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  assert.equal(version, JSON.parse(json).version);
});

Deno.test("runProgram names the verb that was meant", async () => {
  assert.deepEqual(await ended(["serv"]), {
    code: 2,
    stdout: "",
    stderr: "error: Unknown command 'serv' (did you mean serve?); see `tributary --help`\n",
  });
});

Deno.test("runProgram names the verb whose help was meant", async () => {
  assert.deepEqual(await ended(["help", "serv"]), await ended(["serv"]));
});

Deno.test("runProgram refuses an option before the verb", async () => {
  assert.deepEqual(await ended(["--rounds", "serve"]), {
    code: 2,
    stdout: "",
    stderr: "error: Unknown option '--rounds'; see `tributary --help`\n",
  });
});

const errors: readonly (readonly [error: Error, code: number, stderr: string])[] = [
  [new OperatorError("Change this."), 2, "error: Change this.\n"],
  [new ConfigError(["Change this.", "And that."]), 2, "error: Change this.\nerror: And that.\n"],
  [new ListenError("Change this."), 2, "error: Change this.\n"],
  [new Failure("It failed."), 1, "error: It failed.\n"],
  [new Failure("It said \x1b[2J\x9b2J:\n  error: no"), 1, "error: It said �[2J�2J: error: no\n"],
  [new Suspended("It goes on later."), 3, "error: It goes on later.\n"],
  [
    new Failure("Too many open files (os error 24)"),
    1,
    "error: Too many open files (os error 24); allow more by `ulimit -n`, or LimitNOFILE= of a " +
    "systemd unit\n",
  ],
  [new Answered(), 0, ""],
];

for (const [error, code, stderr] of errors) {
  Deno.test(`runProgram ends with ${code} and no stack for ${error.constructor.name}`, async () => {
    const verbs = verbsOf(() => {
      throw error;
    });
    assert.deepEqual(await ended(["serve"], verbs), { code, stdout: "", stderr });
  });
}

Deno.test("runProgram shows the stack of our own bugs", async () => {
  const verbs = verbsOf(() => {
    throw new TypeError("x is not a function");
  });
  const { code, stderr } = await ended(["serve"], verbs);
  assert.equal(code, 1);
  assert.match(stderr, /^error: this is a bug in Tributary; please report it with these lines\n/);
  assert.match(stderr, /TypeError: x is not a function\n +at /);
});
