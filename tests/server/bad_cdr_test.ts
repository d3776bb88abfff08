/** Samples that are no Envelope, before a server that runs as users run it: all wires, one log. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { clientMessage } from "../../src/contract/codec.ts";
import { guidOf } from "../../src/protocols/dds/publications.ts";
import { dialUrl, PROTOCOLS } from "../../src/protocols/mod.ts";
import { forgedSample } from "../protocols/dds/forged_sample.ts";
import { cyclone, library } from "../protocols/dds/library.ts";
import { Stranger } from "../protocols/dds/stranger.ts";
import { weights } from "../support/federation.ts";
import { Member } from "../support/member.ts";
import { heartbeat } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { MODEL } from "./small_config.ts";

/** `serve` with every wire on a free port. */
function serve(directory: StateDirectory): Program {
  Deno.writeFileSync(join(directory.path, "start.safetensors"), MODEL);
  const ports = PROTOCOLS.flatMap((wire) => [`--${wire}-port`, "0"]);
  const model = ["--model", "start.safetensors", "--rounds", "1"];
  const clients = ["--min-clients", String(PROTOCOLS.length)];
  const args = ["serve", ...ports, ...model, ...clients, "--no-web", "--dds-library", library];
  return new Program(args, directory.path);
}

async function train(server: Program): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const members = await Promise.all(PROTOCOLS.map(async (wire) => {
    const url = await server.says(new RegExp(`^${wire} .*'(${wire}://[^']*)'`));
    const member = stack.use(await Member.connect(dialUrl, url, `member-${wire}`));
    await member.hello();
    return member;
  }));
  await Promise.all(members.map(async (member) => {
    const receipt = await member.update(await member.task(1), weights([1, 2, 3, 4]));
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  }));
}

/** A CDR header (XTypes 1.3 §7.6.3.1.2), the length of a string, the string and its zero, and padding. */
const CLIENT = [0, 1, 0, 0, 7, 0, 0, 0, ...new TextEncoder().encode("forger"), 0, 0, 0, 0, 0, 0];
const SEQ = [1, 0, 0, 0, 0, 0, 0, 0];

const BAD: Readonly<Record<string, readonly number[]>> = {
  "a string longer than the sample": [0, 1, 0, 0, 0xff, 0xff, 0xff, 0x7f, 97, 98, 99, 0],
  "a string without its zero": [0, 1, 0, 0, 3, 0, 0, 0, 97, 98, 99, 100],
  "a body longer than the sample": [...CLIENT, ...SEQ, 0xff, 0xff, 0, 0, 1, 2, 3, 4],
  "no body at all": [...CLIENT, ...SEQ],
  "another encoding": [0, 3, 0, 0, 1, 0, 0, 0],
};

for (const [what, payload] of Object.entries(BAD)) {
  Deno.test(`a DDS sample with ${what} is dropped and logged once, and its writer's route ends`, async () => {
    using directory = new StateDirectory();
    await using server = serve(directory);
    const url = await server.says(/^dds .*'(dds:\/\/[^']*)'/);
    {
      await using stranger = new Stranger(url, { partition: "default/forger", key: "forger" });
      await Promise.all([stranger.heard(), stranger.answered()]);
      const says = (sequence: number) =>
        stranger.write(clientMessage({ clientId: "forger", sequence, body: heartbeat() }));
      await says(1);
      await stranger.next();
      const guid = guidOf(cyclone, stranger.writer.entity);
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const { hostname, port } = new URL(url);
      await socket.send(forgedSample(guid, 2, Uint8Array.from(payload)), {
        transport: "udp",
        hostname,
        port: Number(port) + 1,
      });
      socket.close();
      await server.logs(/deserialization/);
      await says(2); // it bears the number of the bad one, which DDS took for this
      await says(3);
      await stranger.abandoned();
    }
    await train(server);
    const { code, stderr } = await server.ended();
    assert.equal(code, 0, stderr);
    const lines = stderr.split("\n");
    assert.equal(lines.filter((line) => line.includes("deserialization")).length, 1, stderr);
    const refused = lines.filter((line) => line.includes("peer refused"));
    assert.equal(refused.length, 1, stderr);
    assert.match(refused[0] ?? "", /wire=dds remote=forger reason="wrote sample 2 after 0: /);
  });
}
