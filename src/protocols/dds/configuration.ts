/** Cyclone DDS's configuration of one domain, as the XML of its "Configuration guide". */

export interface DomainOptions {
  /** The domain's number on the wire, 0 to 232. */
  readonly number: number;
  /** IPv4 address or name of the network interface; undefined lets Cyclone choose. */
  readonly networkInterface: string | undefined;
  /** Where the participant is to be found, and the port after it; undefined for one that finds others. */
  readonly port: number | undefined;
  /** `host:port` of the participants to look for; nobody else is looked for. */
  readonly peers: readonly string[];
  /** After so long a silence the others take this participant for dead. */
  readonly leaseMs: number;
  /** Larger samples are not put together. */
  readonly maxSampleBytes: number;
}

/**
 * Signs of life within a lease. By itself Cyclone gives one, after four fifths of it: on a busy
 * machine that is too late now and then.
 */
const RENEWALS = 4;

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * Without multicast, and with nobody looked for but the peers. A reader asks a writer it has just
 * met at once what there is: until the writer has answered, its samples are passed over, and
 * repeated 100 ms later. A writer with something unacknowledged asks for it ten times as often as
 * by default, for leaving and a full writer wait for the answer.
 *
 * @param canExcludeLocalhost false for Cyclone 0.10, which does not know the attribute.
 */
export function configuration(options: DomainOptions, canExcludeLocalhost: boolean): string {
  const { number, networkInterface, port, peers, leaseMs, maxSampleBytes } = options;
  const localhost = canExcludeLocalhost ? ' AddLocalhost="false"' : "";
  return `<CycloneDDS><Domain Id="any"><General>` +
    `<Interfaces>${interfaceElement(networkInterface)}</Interfaces>` +
    `<AllowMulticast>false</AllowMulticast></General><Discovery>` +
    `<ExternalDomainId>${number}</ExternalDomainId>` +
    `<ParticipantIndex>${port === undefined ? "none" : 0}</ParticipantIndex>` +
    `<MaxAutoParticipantIndex>0</MaxAutoParticipantIndex>` +
    (port === undefined ? "" : portsElement(port)) +
    `<Peers${localhost}>${peers.map(peerElement).join("")}</Peers>` +
    `<LeaseDuration>${leaseMs}ms</LeaseDuration>` +
    `<SPDPInterval>${Math.ceil(leaseMs / RENEWALS)}ms</SPDPInterval></Discovery><Internal>` +
    `<PreEmptiveAckDelay>0ms</PreEmptiveAckDelay>` +
    `<HeartbeatInterval min="1ms" minsched="2ms">10ms</HeartbeatInterval>` +
    `<MaxSampleSize>${maxSampleBytes}B</MaxSampleSize>` +
    `</Internal></Domain></CycloneDDS>`;
}

function interfaceElement(networkInterface: string | undefined): string {
  if (networkInterface === undefined) return `<NetworkInterface autodetermine="true"/>`;
  const kind = IPV4.test(networkInterface) ? "address" : "name";
  return `<NetworkInterface ${kind}="${escape(networkInterface)}" multicast="false"/>`;
}

function peerElement(peer: string): string {
  return `<Peer Address="${escape(peer)}"/>`;
}

/** RTPS 2.5 §9.6.2.3 counts ports up from 7400 by domain and participant; here both count nothing. */
function portsElement(port: number): string {
  return `<Ports><Base>${port}</Base><DomainGain>0</DomainGain>` +
    `<UnicastMetaOffset>0</UnicastMetaOffset><UnicastDataOffset>1</UnicastDataOffset></Ports>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
