/** Four stock AMQP clients, which know RabbitMQ, on the embedded AMQP endpoint. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { REPLY_CODES } from "../../../src/protocols/amqp/exceptions.ts";
import { installed, withPrograms } from "../brokers/installed.ts";
import { run } from "../environment.ts";
import { Endpoint } from "./endpoint.ts";
import { javaClasses, python } from "./programs.ts";

interface Tool {
  readonly name: string;
  /** What the system must have. */
  readonly needs: readonly string[];
  /** Faults that the library does not let its user make, or does not tell the answer to. */
  readonly without: readonly string[];
  /** The lines it prints. */
  run(mode: "tour" | "faults", port: string): Promise<string>;
}

function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const TOOLS: readonly Tool[] = [
  {
    name: "pika",
    needs: ["python3"],
    // It knows its consumer tags by itself, and has no word for the other two.
    without: ["same tag", "immediate", "no-local"],
    run: async (mode, port) => await run(await python(), [path("python/pika_tour.py"), mode, port]),
  },
  {
    name: "aio-pika",
    needs: ["python3"],
    // It tells "expected open-ok" instead of the code with which connection.open is refused.
    without: ["same tag", "no-local", "new secret", "virtual host"],
    run: async (mode, port) =>
      await run(await python(), [path("python/aio_pika_tour.py"), mode, port]),
  },
  {
    name: "amqplib",
    needs: [],
    // As aio-pika; and it has no transactions.
    without: ["tx", "immediate", "virtual host"],
    run: (mode, port) => {
      const config = path("../../../deno.json");
      const script = path("amqplib_tour.ts");
      const flags = ["--config", config, "--no-check", "--quiet", "--allow-all"];
      return run(Deno.execPath(), ["run", ...flags, script, mode, port]);
    },
  },
  {
    name: "RabbitMQ's Java client",
    needs: ["java", "javac", "mvn"],
    without: ["new secret"],
    run: async (mode, port) =>
      await run(installed("java") ?? "java", ["-cp", await javaClasses(), "Tour", mode, port]),
  },
];

/** What each of them meets, line by line. */
const TOUR = [
  "declared: 0 messages, 0 consumers",
  "confirmed: 3 wait",
  "got: a.1 1 {'number': 1} 1, redelivered False, 2 more",
  "rejected, got: a.1, redelivered True",
  "consumed: a.2, 1 wait", // with a prefetch of 1, the third is not delivered yet
  "consumed: a.3, 0 wait",
  "rejected for good: 0 wait",
  "returned: 312 NO_ROUTE nowhere lost",
  "carried: 256000 octets, the same True",
  "purged: 1",
  "deleted: 0 messages",
  "closed: True",
];

/** What is out of scope or forbidden, and the exception it is answered with (1.2 of the reference). */
const FAULTS: Readonly<Record<string, number>> = {
  "tx": 540,
  "immediate": 540,
  "exchange to exchange": 540,
  "argument": 540,
  "new secret": 540,
  "no-local": 540,
  "exchange type": 503,
  "no such queue": 404,
  "no such exchange": 404,
  "another's queue": 405,
  "other flags": 406,
  "unknown delivery": 406,
  "reserved name": 403,
  "fl.up deleted": 403,
  "fl.down published to": 403,
  "another's key": 403,
  "another federation": 404,
  "too large": 311,
  "same tag": 530,
  "no queue named": 530,
  "virtual host": 402,
  "user": 403,
};

/** They only tell what is there: nothing for the operator to read. */
const ORDINARY = [404, 405, 406];

const REPLIES = new Map<number, string>(
  Object.entries(REPLY_CODES).map(([name, { code }]) => [code, name]),
);

function lines(text: string): string[] {
  return text.trimEnd().split("\n");
}

for (const tool of TOOLS) {
  await withPrograms(tool.needs, () => {
    Deno.test(`${tool.name} declares, binds, publishes with confirms, gets, rejects, consumes with prefetch, hears returns and closes cleanly on the AMQP endpoint`, async () => {
      await using endpoint = await Endpoint.open("amqp");
      assert.deepEqual(lines(await tool.run("tour", endpoint.port)), TOUR);
      assert.match(await endpoint.ending(), /^the client closed the connection: 200 /);
      await endpoint.trains();
      assert.deepEqual(endpoint.refusals, []);
    });

    Deno.test(`${tool.name} hears AMQP's own exception for all that the endpoint has not or forbids`, async () => {
      await using endpoint = await Endpoint.open("amqp");
      const faults = Object.entries(FAULTS).filter(([fault]) => !tool.without.includes(fault));
      assert.deepEqual(
        lines(await tool.run("faults", endpoint.port)),
        faults.map(([fault, code]) => `${fault}: ${code}`),
      );
      const logged = faults.map(([, code]) => code).filter((code) => !ORDINARY.includes(code));
      await endpoint.refused(logged.length);
      await endpoint.trains();
      assert.deepEqual(
        endpoint.refusals.map((reason) => reason.split(" - ")[0]),
        logged.map((code) => REPLIES.get(code)),
      );
    });
  });
}
