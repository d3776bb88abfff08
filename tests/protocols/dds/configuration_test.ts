import assert from "node:assert/strict";
import { configuration, type DomainOptions } from "../../../src/protocols/dds/configuration.ts";

const client: DomainOptions = {
  number: 7,
  networkInterface: "127.0.0.1",
  port: undefined,
  peers: ["127.0.0.1:7410"],
  leaseMs: 3000,
  maxSampleBytes: 1000,
};

Deno.test("configuration() makes a client that finds its peers and nobody else", () => {
  const xml = configuration(client, true);
  assert.match(xml, /<Peers AddLocalhost="false"><Peer Address="127\.0\.0\.1:7410"\/><\/Peers>/);
  assert.match(xml, /<AllowMulticast>false</);
  assert.match(xml, /<ExternalDomainId>7</);
  assert.match(xml, /<ParticipantIndex>none</);
  assert.match(xml, /<LeaseDuration>3000ms<\/LeaseDuration><SPDPInterval>750ms</);
  assert.doesNotMatch(xml, /<Ports>/);
});

Deno.test("configuration() makes a server that is found on its port", () => {
  const xml = configuration({ ...client, port: 5000, peers: [] }, true);
  assert.match(xml, /<ParticipantIndex>0</);
  assert.match(xml, /<Base>5000<.*<UnicastMetaOffset>0<.*<UnicastDataOffset>1</);
});

Deno.test("configuration() spares Cyclone 0.10 what it does not know", () => {
  assert.doesNotMatch(configuration(client, false), /AddLocalhost/);
});

Deno.test("configuration() names an interface, or leaves the choice to Cyclone", () => {
  assert.match(
    configuration({ ...client, networkInterface: "eth0" }, true),
    /<NetworkInterface name="eth0" multicast="false"\/>/,
  );
  assert.match(
    configuration({ ...client, networkInterface: undefined }, true),
    /<NetworkInterface autodetermine="true"\/>/,
  );
});

Deno.test("configuration() lets no text out of its place in the XML", () => {
  const xml = configuration({ ...client, peers: [`"/><Peer Address='evil`] }, true);
  assert.equal(xml.match(/<Peer /g)?.length, 1);
});
