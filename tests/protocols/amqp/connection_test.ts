import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeFrame,
  FRAME_OVERHEAD_BYTES,
  FrameType,
  HEARTBEAT_FRAME,
  PROTOCOL_HEADER,
} from "../../../src/protocols/amqp/frames.ts";
import { encodeMethod, type MethodName } from "../../../src/protocols/amqp/methods.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { AmqpBench } from "./bench.ts";
import { PLAIN, RawClient } from "./raw_client.ts";

const NOTHING = new Uint8Array();

function refusals(bench: AmqpBench): number {
  return bench.coordinator.events.all.filter(({ kind }) => kind === "refused").length;
}

const wrongProtocols: Record<string, Uint8Array> = {
  "HTTP": new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
  "AMQP 1.0": Uint8Array.of(65, 77, 81, 80, 0, 1, 0, 0),
  "AMQP 0-8": Uint8Array.of(65, 77, 81, 80, 1, 1, 8, 0),
  "TLS": Uint8Array.of(22, 3, 1, 0, 200),
};

for (const [protocol, octets] of Object.entries(wrongProtocols)) {
  Deno.test(`AmqpConnection answers ${protocol} with its own header and closes (§4.2.2)`, async () => {
    await using bench = await AmqpBench.open();
    await using client = await RawClient.connect(bench.url);
    await client.write(octets);
    assert.deepEqual(await client.rest(), PROTOCOL_HEADER);
    assert.equal(refusals(bench), 1);
  });
}

Deno.test("AmqpConnection does not wait for ever for a connection to be opened", async () => {
  await using bench = await AmqpBench.open({}, { handshakeTimeoutMs: 100 });
  using timers = new ManualTimers();
  await using silent = await RawClient.connect(bench.url);
  await using half = await RawClient.connect(bench.url);
  await half.greet();
  timers.pass(100);
  assert.deepEqual(await silent.rest(), NOTHING);
  assert.deepEqual(await half.rest(), NOTHING);
  assert.equal(refusals(bench), 2);
});

Deno.test("AmqpConnection closes in silence what cannot be a frame (§4.2.3)", async () => {
  await using bench = await AmqpBench.open();
  const wrongEnd = HEARTBEAT_FRAME.slice().fill(0, 7);
  for (const octets of [wrongEnd, encodeFrame(4, 0, NOTHING)]) {
    await using client = await RawClient.open(bench.url);
    await client.write(octets);
    assert.deepEqual(await client.rest(), NOTHING);
  }
  assert.equal(refusals(bench), 2);
});

Deno.test("AmqpConnection closes in silence what is wrong before the connection is open (§2.2.4)", async () => {
  await using bench = await AmqpBench.open();
  const wrong = [
    encodeFrame(FrameType.METHOD, 0, Uint8Array.of(0, 10, 0, 11)), // start-ok, cut
    encodeFrame(FrameType.METHOD, 1, encodeMethod("channel.open", { reserved1: "" })),
    encodeFrame(FrameType.METHOD, 0, encodeMethod("tx.select", {})),
    encodeFrame(FrameType.BODY, 0, new Uint8Array(5000)),
  ];
  for (const octets of wrong) {
    await using client = await RawClient.connect(bench.url);
    await client.greet();
    await client.write(octets);
    assert.deepEqual(await client.rest(), NOTHING);
  }
  assert.equal(refusals(bench), wrong.length);
});

/** Connection exceptions: what a client does on an open connection, and the code it gets. */
const hardErrors: Record<string, [code: number, act: (client: RawClient) => Promise<void>]> = {
  "a frame beyond frame-max": [501, (client) => client.body(1, new Uint8Array(4096))],
  "a method cut short": [
    501,
    (client) => client.write(encodeFrame(FrameType.METHOD, 1, Uint8Array.of(0, 50, 0, 10, 0))),
  ],
  "a method frame without a method": [
    501,
    (client) => client.write(encodeFrame(FrameType.METHOD, 1, NOTHING)),
  ],
  "a routing key that is not UTF-8": [
    502,
    (client) =>
      client.write(
        encodeFrame(FrameType.METHOD, 1, Uint8Array.of(0, 60, 0, 40, 0, 0, 0, 1, 0xff, 0)),
      ),
  ],
  "a connection method on another channel": [
    503,
    (client) => client.say(1, "connection.close-ok", {}),
  ],
  "a heartbeat on another channel": [
    503,
    (client) => client.write(encodeFrame(FrameType.HEARTBEAT, 1, NOTHING)),
  ],
  "a method that only servers send": [503, (client) => client.say(1, "basic.qos-ok", {})],
  "connection.start-ok again": [
    503,
    (client) =>
      client.say(0, "connection.start-ok", {
        clientProperties: new Map(),
        mechanism: "PLAIN",
        response: PLAIN,
        locale: "",
      }),
  ],
  "a channel that is not open": [
    504,
    (client) => client.say(2, "confirm.select", { noWait: false }),
  ],
  "a channel opened twice": [504, (client) => client.say(1, "channel.open", { reserved1: "" })],
  "a channel beyond channel-max": [
    504,
    (client) => client.say(65, "channel.open", { reserved1: "" }),
  ],
  "content on channel 0": [504, (client) => client.body(0, NOTHING)],
  "a channel's method on channel 0": [
    504,
    (client) => client.say(0, "confirm.select", { noWait: true }),
  ],
  "a content header without a method": [505, (client) => client.header(1, 0)],
  "a body without its header": [
    505,
    async (client) => {
      await client.announce(1, "", "q");
      await client.body(1, NOTHING);
    },
  ],
  "a method within a content": [
    505,
    async (client) => {
      await client.announce(1, "", "q");
      await client.header(1, 5);
      await client.say(1, "confirm.select", { noWait: false });
    },
  ],
  "more body than announced": [
    505,
    async (client) => {
      await client.announce(1, "", "q");
      await client.header(1, 5);
      await client.body(1, new Uint8Array(6));
    },
  ],
  "a content header of another class": [
    501,
    async (client) => {
      await client.announce(1, "", "q");
      await client.write(
        encodeFrame(FrameType.HEADER, 1, Uint8Array.of(0, 50, ...new Uint8Array(12))),
      );
    },
  ],
  "no queue named and none declared": [
    530,
    (client) => client.say(1, "queue.purge", { reserved1: 0, queue: "", noWait: false }),
  ],
  "an immediate message": [
    540,
    (client) =>
      client.say(1, "basic.publish", {
        reserved1: 0,
        exchange: "",
        routingKey: "q",
        mandatory: false,
        immediate: true,
      }),
  ],
  "basic.recover without requeue": [
    540,
    (client) => client.say(1, "basic.recover", { requeue: false }),
  ],
  "a transaction": [540, (client) => client.say(1, "tx.select", {})],
  "a method of class access": [
    540,
    (client) => client.write(encodeFrame(FrameType.METHOD, 1, Uint8Array.of(0, 30, 0, 10))),
  ],
  "connection.update-secret": [
    540,
    (client) => client.say(0, "connection.update-secret", { newSecret: NOTHING, reason: "" }),
  ],
  "basic.qos of a method unheard of": [
    540,
    (client) => client.write(encodeFrame(FrameType.METHOD, 1, Uint8Array.of(0, 60, 0, 99))),
  ],
};

for (const [what, [code, act]] of Object.entries(hardErrors)) {
  Deno.test(`AmqpConnection answers ${what} with ${code}`, async () => {
    await using bench = await AmqpBench.open();
    await using client = await RawClient.open(bench.url);
    await act(client);
    assert.equal(await client.exception(), code);
    assert.equal(refusals(bench), 1);
  });
}

Deno.test("AmqpConnection names the method that provoked an exception (1.4 close)", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  await client.say(1, "tx.commit", {});
  const { classId, methodId } = await client.expect("connection.close");
  assert.deepEqual([classId, methodId], [90, 20]);
});

Deno.test("AmqpConnection answers connection.close and discards what follows", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  const reason = { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 };
  await client.say(0, "connection.close", reason);
  await client.say(1, "tx.select", {});
  await client.expect("connection.close-ok");
  assert.equal(await client.frame(), undefined);
  assert.equal(refusals(bench), 0);
});

Deno.test("AmqpConnection discards everything after its own connection.close but Close and Close-Ok", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  await client.say(1, "tx.select", {});
  await client.expect("connection.close");
  await client.say(1, "confirm.select", { noWait: false });
  const reason = { replyCode: 200, replyText: "bye", classId: 0, methodId: 0 };
  await client.say(0, "connection.close", reason);
  await client.expect("connection.close-ok");
  await client.say(0, "connection.close-ok", {});
  assert.equal(await client.frame(), undefined);
});

Deno.test("AmqpConnection ends when its own connection.close is not answered", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  await client.say(1, "tx.select", {});
  await client.expect("connection.close");
  assert.equal(await client.frame(), undefined);
});

Deno.test("AmqpConnection knows the virtual hosts / and the federation's name, else 402", async () => {
  await using bench = await AmqpBench.open();
  for (const [host, answer] of [["/", "connection.open-ok"], ["default", "connection.open-ok"]]) {
    await using client = await handshaken(bench.url);
    await client.openHost(host ?? "");
    assert.equal((await client.method()).name, answer);
  }
  await using client = await handshaken(bench.url);
  await client.openHost("elsewhere");
  assert.equal(await client.exception(), 402);
});

async function handshaken(url: string): Promise<RawClient> {
  const client = await RawClient.connect(url);
  await client.greet();
  const [mechanism, locale] = ["PLAIN", "en_US"];
  const clientProperties = new Map();
  await client.say(0, "connection.start-ok", {
    clientProperties,
    mechanism,
    response: PLAIN,
    locale,
  });
  const tune = await client.expect("connection.tune");
  await client.say(0, "connection.tune-ok", tune);
  return client;
}

Deno.test("AmqpConnection proposes what the options say", async () => {
  await using bench = await AmqpBench.open(
    { heartbeatIntervalMs: 2500 },
    { frameMaxBytes: 8192, channelMax: 7 },
  );
  await using client = await RawClient.connect(bench.url);
  await client.greet();
  const [mechanism, locale] = ["PLAIN", "en_US"];
  const clientProperties = new Map();
  await client.say(0, "connection.start-ok", {
    clientProperties,
    mechanism,
    response: PLAIN,
    locale,
  });
  assert.deepEqual(await client.expect("connection.tune"), {
    channelMax: 7,
    frameMax: 8192,
    heartbeat: 3,
  });
});

Deno.test("AmqpConnection refuses one connection more than the limit with 506", async () => {
  await using bench = await AmqpBench.open({ maxConnections: 1 });
  await using first = await RawClient.open(bench.url);
  await using second = await handshaken(bench.url);
  await second.openHost("/");
  assert.equal(await second.exception(), 506);
  await first.openChannel(2);
});

Deno.test("AmqpConnection sends heartbeats and takes any octet of the client's for life", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url, { heartbeat: 1 });
  const frame = encodeFrame(FrameType.METHOD, 2, encodeMethod("channel.open", { reserved1: "" }));
  const pieces = [HEARTBEAT_FRAME, frame.subarray(0, 1), frame.subarray(1, 2), frame.subarray(2)];
  // Four beats of the server last longer than three intervals: a silent client would be dead by then.
  for (const piece of pieces) {
    assert.equal((await client.frame())?.type, FrameType.HEARTBEAT);
    await client.write(piece);
  }
  await client.expect("channel.open-ok");
});

Deno.test("AmqpConnection closes a client that is silent for three intervals, without a word (§4.2.7)", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url, { heartbeat: 1 });
  await client.announce(1, "fl.up", "default.client-1");
  await client.header(1, 0);
  const { route } = await bench.coordinator.arrivals.find(({ kind }) => kind === "unreadable");
  for (let frame = await client.frame(); frame !== undefined; frame = await client.frame()) {
    assert.equal(frame.type, FrameType.HEARTBEAT);
  }
  const detached = await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  assert.equal(detached.route.id, route.id);
});

Deno.test("AmqpConnection refuses a large message by its header, and other channels go on", async () => {
  await using bench = await AmqpBench.open({ maxMessageBytes: 100_000 });
  await using client = await RawClient.open(bench.url);
  await client.openChannel(2);
  await client.announce(1, "", "q");
  await client.header(1, 100_001);
  assert.equal((await client.expect("channel.close")).replyCode, 311);
  // What was on its way is discarded; the channel's number is free after close-ok.
  await client.body(1, new Uint8Array(4000));
  await client.say(1, "confirm.select", { noWait: false });
  await client.say(2, "confirm.select", { noWait: false });
  await client.expect("confirm.select-ok");
  await client.say(1, "channel.close-ok", {});
  await client.openChannel(1);
  assert.equal(refusals(bench), 1);
});

Deno.test("AmqpConnection bounds what is under way on all its channels together", async () => {
  await using bench = await AmqpBench.open({ maxMessageBytes: 100_000 });
  await using client = await RawClient.open(bench.url);
  for (const channel of [2, 3]) await client.openChannel(channel);
  for (const channel of [1, 2]) {
    await client.announce(channel, "", "q");
    await client.header(channel, 100_000);
  }
  await client.announce(3, "", "q");
  await client.header(3, 1);
  const { replyCode, replyText } = await client.expect("connection.close");
  assert.equal(replyCode, 506);
  assert.match(String(replyText), /too large together; publish one by one/);
});

Deno.test("AmqpConnection closes a channel for a soft error and only once", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  const missing = { reserved1: 0, queue: "none", noWait: false };
  await client.say(1, "queue.purge", missing);
  await client.say(1, "queue.purge", missing);
  const { replyCode, classId, methodId } = await client.expect("channel.close");
  assert.deepEqual([replyCode, classId, methodId], [404, 50, 30]);
  const reason = { replyCode: 200, replyText: "", classId: 0, methodId: 0 };
  await client.say(1, "channel.close", reason); // both sides at once
  await client.expect("channel.close-ok");
  await client.say(1, "channel.close-ok", {});
  await client.openChannel(1);
});

Deno.test("AmqpConnection takes an empty name for the queue last declared (1.7 bind)", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  const flags = { passive: false, durable: false, exclusive: true, autoDelete: false };
  const nameless = { reserved1: 0, queue: "", noWait: false, arguments: new Map() };
  await client.say(1, "queue.declare", { ...nameless, ...flags });
  const { queue } = await client.expect("queue.declare-ok");
  await client.say(1, "queue.bind", { ...nameless, exchange: "amq.direct", routingKey: "" });
  await client.expect("queue.bind-ok");
  await client.announce(1, "amq.direct", queue); // the name is the key as well
  await client.header(1, 0);
  await client.say(1, "queue.purge", nameless);
  assert.deepEqual(await client.expect("queue.purge-ok"), { messageCount: 1 });
});

Deno.test("AmqpConnection reads no further than its answers are read, and loses none of them", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url, { frameMax: 131072 });
  const [count, body] = [300, new Uint8Array(100_000).fill(7)];
  const flags = { mandatory: true, immediate: false };
  const published = (async () => {
    for (let index = 0; index < count; index++) {
      const key = { exchange: "amq.topic", routingKey: String(index) };
      await client.say(1, "basic.publish", { reserved1: 0, ...key, ...flags });
      await client.header(1, body.length);
      await client.body(1, body);
    }
  })();
  // The client has more on its way than all buffers hold, and begins to read only when it has to.
  for (let index = 0; index < count; index++) {
    assert.equal((await client.expect("basic.return")).routingKey, String(index));
    await client.frame();
    assert.equal((await client.frame())?.payload.length, body.length);
  }
  await published;
});

Deno.test("AmqpConnection honours channel.flow", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  const flags = { passive: false, durable: false, exclusive: true, autoDelete: false };
  const queue = { reserved1: 0, queue: "q", noWait: true, arguments: new Map() };
  await client.say(1, "queue.declare", { ...queue, ...flags });
  await client.say(1, "basic.consume", {
    ...queue,
    consumerTag: "c",
    noLocal: false,
    noAck: true,
    exclusive: false,
  });
  await client.say(1, "channel.flow", { active: false });
  await client.expect("channel.flow-ok");
  await client.openChannel(2);
  await client.say(2, "confirm.select", { noWait: true });
  await client.announce(2, "", "q");
  await client.header(2, 0);
  await client.expect("basic.ack");
  await client.say(1, "channel.flow", { active: true });
  assert.deepEqual(await client.expect("channel.flow-ok"), { active: true });
  await client.expect("basic.deliver");
});

Deno.test("AmqpConnection interleaves contents of channels, as they come (§4.2.6)", async () => {
  await using bench = await AmqpBench.open();
  await using client = await RawClient.open(bench.url);
  await client.openChannel(2);
  const queue = { reserved1: 0, queue: "q", noWait: true, arguments: new Map() };
  const flags = { passive: false, durable: false, exclusive: true, autoDelete: false };
  await client.say(1, "queue.declare", { ...queue, ...flags });
  for (const channel of [1, 2]) await client.announce(channel, "", "q");
  for (const channel of [2, 1]) await client.header(channel, 6);
  for (const channel of [1, 2]) await client.body(channel, new Uint8Array(3).fill(channel));
  for (const channel of [2, 1]) await client.body(channel, new Uint8Array(3).fill(channel));
  for (const channel of [2, 1]) {
    await client.say(1, "basic.get", { reserved1: 0, queue: "q", noAck: true });
    await client.expect("basic.get-ok");
    await client.frame();
    assert.deepEqual((await client.frame())?.payload, new Uint8Array(6).fill(channel));
  }
});

for (const difference of [-1, 0, 1]) {
  Deno.test(`AmqpConnection carries bodies of whole frames ${difference} octets both ways`, async () => {
    await using bench = await AmqpBench.open();
    await using client = await RawClient.open(bench.url);
    const most = 4096 - FRAME_OVERHEAD_BYTES;
    const flags = { passive: false, durable: false, exclusive: true, autoDelete: false };
    const queue = { reserved1: 0, queue: "q", noWait: true, arguments: new Map() };
    await client.say(1, "queue.declare", { ...queue, ...flags });
    for (const frames of [1, 2, 5]) {
      const body = new Uint8Array(frames * most + difference).map((_, index) => index % 251);
      await client.announce(1, "", "q");
      await client.header(1, body.length);
      for (let at = 0; at < body.length; at += most) {
        await client.body(1, body.subarray(at, at + most));
      }
      await client.say(1, "basic.get", { reserved1: 0, queue: "q", noAck: true });
      await client.expect("basic.get-ok");
      await client.frame();
      const back: number[] = [];
      while (back.length < body.length) {
        const frame = await client.frame();
        assert.ok(frame?.type === FrameType.BODY && frame.payload.length <= most);
        back.push(...frame.payload);
      }
      assert.deepEqual(Uint8Array.from(back), body);
    }
  });
}

Deno.test("AmqpConnection survives any octets, before and after the connection is open", async () => {
  await using bench = await AmqpBench.open();
  const frame = fc.record({
    type: fc.constantFrom(...Object.values(FrameType)),
    channel: fc.nat(2),
    payload: fc.uint8Array({ maxLength: 64 }),
  }).map(({ type, channel, payload }) => encodeFrame(type, channel, payload));
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(frame, { maxLength: 5 }).map((frames) =>
      Uint8Array.from(frames.flatMap((each) => [...each]))
    ),
  );
  await fc.assert(
    fc.asyncProperty(octets, fc.boolean(), async (noise, isOpen) => {
      await using client = isOpen
        ? await RawClient.open(bench.url)
        : await RawClient.connect(bench.url);
      await client.write(noise);
    }),
    { numRuns: 150 },
  );
  await using healthy = await RawClient.open(bench.url);
  await healthy.openChannel(2);
  assert.ok(
    !bench.coordinator.events.all.some((event) =>
      event.kind === "refused" && event.reason.startsWith("INTERNAL_ERROR" satisfies string)
    ),
  );
});

Deno.test("AmqpConnection knows every method of the table that a client may not send", async () => {
  await using bench = await AmqpBench.open();
  const names: MethodName[] = [
    "basic.consume-ok",
    "basic.get-empty",
    "queue.purge-ok",
    "confirm.select-ok",
    "channel.open-ok",
    "channel.flow-ok",
  ];
  for (const name of names) {
    await using client = await RawClient.open(bench.url);
    const fields = {
      consumerTag: "",
      reserved1: name === "channel.open-ok" ? NOTHING : "",
      messageCount: 0,
      active: true,
    };
    await client.write(encodeFrame(FrameType.METHOD, 1, encodeMethod(name, fields as never)));
    assert.equal(await client.exception(), 503, name);
  }
});
