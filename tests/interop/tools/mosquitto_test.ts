/** mosquitto's own clients on the MQTT endpoint, in both versions of the protocol. */

import assert from "node:assert/strict";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
} from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { hello } from "../../support/peer.ts";
import { withPrograms } from "../brokers/installed.ts";
import { Endpoint } from "./endpoint.ts";
import { type Said, said } from "./said.ts";

const VERSIONS = { "5": "mqttv5", "3.1.1": "mqttv311" } as const;
type Version = keyof typeof VERSIONS;

/** What both versions are refused, and what mosquitto's client says of each. */
interface Refused {
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: Uint8Array;
  /** Exit code and what it prints. */
  readonly hears: Readonly<Record<Version, readonly [code: number, prints: RegExp]>>;
  /** What the operator reads. */
  readonly logged: RegExp;
}

const UP = "fl/default/up/client-1";
const DOWN = "fl/default/down/client-1";

const REFUSED: Readonly<Record<string, Refused>> = {
  "a PUBLISH elsewhere": {
    program: "mosquitto_pub",
    args: ["-i", "client-1", "-t", "elsewhere", "-q", "1", "-m", "x"],
    hears: {
      "5": [0, /^Warning: Publish 1 failed: Not authorized\./],
      "3.1.1": [7, /^Error: The connection was lost\./], // it has no code for it
    },
    logged: /^client-1: a client may publish to fl\/default\/up\/client-1 only/,
  },
  "a retained PUBLISH": {
    program: "mosquitto_pub",
    args: ["-i", "client-1", "-t", UP, "-q", "1", "-r", "-m", "x"],
    hears: {
      "5": [0, /^Warning: Publish 1 failed: Not authorized\./],
      "3.1.1": [7, /^Error: The connection was lost\./],
    },
    logged: /and not retained$/,
  },
  "a client identifier that is no client id": {
    program: "mosquitto_pub",
    args: ["-i", "no client", "-t", UP, "-q", "1", "-m", "x"],
    hears: {
      "5": [133, /Client Identifier not valid/],
      "3.1.1": [2, /identifier rejected/],
    },
    logged: /^the client identifier must be the client id/,
  },
  "another client's topic": {
    program: "mosquitto_sub",
    args: ["-i", "client-1", "-t", "fl/default/down/other", "-C", "1"],
    hears: {
      "5": [0, /All subscription requests were denied\./],
      "3.1.1": [0, /All subscription requests were denied\./],
    },
    logged: /^client-1: a client may subscribe to fl\/default\/down\/client-1 and/,
  },
  "a wildcard": {
    program: "mosquitto_sub",
    args: ["-d", "-i", "client-1", "-t", "#", "-C", "1"],
    hears: {
      "5": [0, /Received DISCONNECT \(162\)/],
      "3.1.1": [0, /All subscription requests were denied\./],
    },
    logged: /^client-1: wildcard subscriptions are not available here$/,
  },
};

function tool(
  endpoint: Endpoint,
  version: Version,
  { program, args, input }: Pick<Refused, "program" | "args" | "input">,
): Promise<Said> {
  const to = ["-h", "127.0.0.1", "-p", endpoint.port, "-V", VERSIONS[version]];
  return said(program, { args: [...to, ...args], ...(input === undefined ? {} : { input }) });
}

/** Hello, made of characters of ASCII. */
function helloBytes(): Uint8Array {
  const body = hello({ nonce: new TextEncoder().encode("sixteen octets.."), samples: 100 });
  return encodeClientMessage(clientMessage({ clientId: "client-1", sequence: 1, body }));
}

await withPrograms(["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"], () => {
  for (const version of Object.keys(VERSIONS) as Version[]) {
    Deno.test(`mosquitto_sub reads the retained state by MQTT ${version}`, async () => {
      await using endpoint = await Endpoint.open("mqtt");
      const args = ["-i", "client-1", "-t", "fl/default/state", "-C", "1", "-F", "%r %p"];
      const { code, text } = await tool(endpoint, version, { program: "mosquitto_sub", args });
      assert.equal(code, 0);
      assert.match(text, /^1 \{"federation":"default","contract_version":1,/);
      assert.equal(await endpoint.ending(), "the client disconnected");
      assert.deepEqual(endpoint.refusals, []);
    });

    for (const qos of ["0", "1", "2"]) {
      Deno.test(`mosquitto_pub delivers Hello with QoS ${qos} by MQTT ${version}, and disconnects`, async () => {
        await using endpoint = await Endpoint.open("mqtt");
        const args = ["-i", "client-1", "-t", UP, "-q", qos, "-s"];
        const input = helloBytes();
        const { code, errors } = await tool(endpoint, version, {
          program: "mosquitto_pub",
          args,
          input,
        });
        assert.equal(code, 0, errors);
        await endpoint.joined("client-1");
        assert.equal(await endpoint.ending(), "the client disconnected");
        assert.deepEqual(endpoint.refusals, []);
      });
    }

    Deno.test(`mosquitto_rr says Hello and hears the answer by MQTT ${version}`, async () => {
      await using endpoint = await Endpoint.open("mqtt");
      const message = new TextDecoder().decode(helloBytes()); // it takes no bytes but an argument's
      const args = ["-i", "client-1", "-t", UP, "-e", DOWN, "-q", "1", "-m", message, "-F", "%x"];
      const { code, text } = await tool(endpoint, version, { program: "mosquitto_rr", args });
      assert.equal(code, 0);
      const { body } = decodeServerMessage(Uint8Array.fromHex(text.trim()));
      // It takes the first message for the answer; which of the two that is, the contract leaves open.
      const isAccepted = body.case === "receipt" && body.value.verdict === Verdict.ACCEPTED;
      assert.ok(isAccepted || body.case === "welcome");
      assert.deepEqual(endpoint.refusals, []);
    });

    for (const [what, refused] of Object.entries(REFUSED)) {
      Deno.test(`mosquitto's tools are refused ${what} by MQTT ${version}, and the operator reads of it once`, async () => {
        await using endpoint = await Endpoint.open("mqtt");
        const { code, errors, text } = await tool(endpoint, version, refused);
        const [expected, pattern] = refused.hears[version];
        assert.equal(code, expected);
        assert.match(errors + text, pattern);
        await endpoint.refused(1);
        await endpoint.trains();
        assert.equal(endpoint.refusals.length, 1, endpoint.refusals.join("\n"));
        assert.match(endpoint.refusals[0] ?? "", refused.logged);
      });
    }
  }

  Deno.test("mosquitto_pub is cut off with a message too large by MQTT 3.1.1", async () => {
    await using endpoint = await Endpoint.open("mqtt");
    const { code, errors } = await tool(endpoint, "3.1.1", {
      program: "mosquitto_pub",
      args: ["-i", "client-1", "-t", UP, "-q", "1", "-s"],
      input: new Uint8Array(600_000),
    });
    assert.equal(code, 7);
    assert.match(errors, /^Error: The connection was lost\./);
    await endpoint.refused(1);
    await endpoint.trains();
    assert.deepEqual(endpoint.refusals, ["client-1: a packet of 600030 bytes is too large"]);
  });

  Deno.test("mosquitto_pub with MQTT 3.1 hears that it is not spoken", async () => {
    await using endpoint = await Endpoint.open("mqtt");
    const args = ["-h", "127.0.0.1", "-p", endpoint.port, "-V", "mqttv31", "-i", "client-1"];
    const { code, errors } = await said("mosquitto_pub", { args: [...args, "-t", UP, "-m", "x"] });
    assert.equal(code, 1);
    assert.match(errors, /unacceptable protocol version/);
    await endpoint.refused(1);
    await endpoint.trains();
    assert.equal(endpoint.refusals.length, 1, endpoint.refusals.join("\n"));
  });
});
