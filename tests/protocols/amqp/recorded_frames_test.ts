import assert from "node:assert/strict";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import type { FieldValue } from "../../../src/protocols/amqp/fields.ts";
import { FrameBuffer, FrameType } from "../../../src/protocols/amqp/frames.ts";
import { decodeMethod, encodeMethod, type Method } from "../../../src/protocols/amqp/methods.ts";
import { decodeContentHeader, decodeProperties } from "../../../src/protocols/amqp/properties.ts";

interface Recording {
  readonly methods: readonly Method[];
  /** Body sizes and properties of what was published, in order. */
  readonly headers: readonly {
    bodyBytes: bigint;
    properties: ReturnType<typeof decodeProperties>;
  }[];
  readonly bodies: readonly Uint8Array[];
}

/** Reads what a client said from its protocol header on; every octet must belong to a frame. */
function recording(file: string): Recording {
  const hex = Deno.readTextFileSync(new URL(`./frames/${file}.hex`, import.meta.url));
  const octets = Uint8Array.fromHex(hex.replaceAll(/\s/g, ""));
  const buffer = new FrameBuffer(octets.length);
  buffer.space().set(octets);
  buffer.filled(octets.length);
  assert.equal(buffer.protocolHeader(), true);
  const methods: Method[] = [];
  const headers: { bodyBytes: bigint; properties: ReturnType<typeof decodeProperties> }[] = [];
  const bodies: Uint8Array[] = [];
  let framedBytes = 8;
  for (let frame = buffer.next(); frame !== undefined; frame = buffer.next()) {
    assert.ok("payload" in frame);
    framedBytes += frame.payload.length + 8;
    if (frame.type === FrameType.METHOD) {
      const method = decodeMethod(frame.payload);
      assert.ok(!(method instanceof AmqpException), String(method));
      // What the client said is what this table would say, to the octet.
      assert.deepEqual(encodeMethod(method.name, method.fields), frame.payload.slice());
      methods.push(method);
    } else if (frame.type === FrameType.HEADER) {
      const header = decodeContentHeader(frame.payload);
      assert.ok(!(header instanceof AmqpException));
      headers.push({
        bodyBytes: header.bodyBytes,
        properties: decodeProperties(header.encoded),
      });
    } else if (frame.type === FrameType.BODY) bodies.push(frame.payload.slice());
  }
  assert.equal(framedBytes, octets.length);
  return { methods, headers, bodies };
}

const HELLO = "1208636c69656e742d312001521408011210" + "30313233343536373839616263646566";

/** Each asked for frames of 4096 octets and 30 s; what it then agreed to is its own affair. */
const sessions = [
  { file: "amqplib-2.3.1", frameMax: 4096, heartbeat: 10, bodies: [4088, 912] },
  { file: "pika-1.4.4", frameMax: 4096, heartbeat: 30, bodies: [4088, 912] },
  { file: "aio-pika-10.2.1", frameMax: 131072, heartbeat: 30, bodies: [5000] },
];

for (const { file, frameMax, heartbeat, bodies: lengths } of sessions) {
  Deno.test(`decodeMethod reads a session of ${file}`, () => {
    const { methods, headers, bodies } = recording(file);
    const [startOk, tuneOk, open] = methods;
    assert.ok(startOk?.name === "connection.start-ok");
    assert.equal(new TextDecoder().decode(startOk.fields.response), "\0client-1\0secret");
    assert.equal(startOk.fields.clientProperties.get("capabilities")?.type, "F");
    assert.ok(tuneOk?.name === "connection.tune-ok");
    assert.equal(tuneOk.fields.frameMax, frameMax);
    assert.equal(tuneOk.fields.heartbeat, heartbeat);
    assert.equal(open?.name, "connection.open");
    const bind = methods.find((method) => method.name === "queue.bind");
    assert.ok(bind?.name === "queue.bind");
    assert.deepEqual([bind.fields.exchange, bind.fields.routingKey], [
      "fl.down",
      "default.client-1",
    ]);
    assert.equal(bodies[0]?.toHex(), HELLO);
    assert.equal(headers[0]?.properties.contentType, "application/x-protobuf");
    assert.deepEqual(bodies.slice(1).map(({ length }) => length), lengths);
    assert.ok(methods.some(({ name }) => name === "connection.close"));
  });
}

Deno.test("decodeProperties reads every kind of header amqplib writes", () => {
  const properties = recording("amqplib-2.3.1").headers[1]?.properties ?? {};
  const headers: Record<string, FieldValue> = Object.fromEntries(properties.headers ?? []);
  assert.deepEqual(headers["ratio"], { type: "d", value: 0.5 });
  assert.deepEqual(headers["big"], { type: "l", value: 2n ** 40n });
  assert.deepEqual(headers["raw"], { type: "x", value: Uint8Array.of(1, 2, 3) });
  assert.equal(headers["list"]?.type === "A" && headers["list"].value.length, 4);
  assert.deepEqual(headers["nested"], {
    type: "F",
    value: new Map([["deep", { type: "F", value: new Map() }]]),
  });
  const { headers: _, ...others } = properties;
  assert.deepEqual(others, {
    deliveryMode: 2,
    priority: 5,
    correlationId: "c",
    replyTo: "r",
    expiration: "1000",
    messageId: "m",
    timestamp: 1700000000n,
    type: "t",
    userId: "client-1",
    appId: "a",
  });
});
