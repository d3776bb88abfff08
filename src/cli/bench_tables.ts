/** The bench's figures: tables for people, one object for programs. */

import type { BenchFigures } from "../bench/bench.ts";
import {
  type Flow,
  overhead,
  rate,
  type RoundFigures,
  type WireFigures,
} from "../bench/figures.ts";
import type { Floor } from "../bench/floor.ts";
import { paint } from "./paint.ts";
import { bytesText } from "./quantities.ts";
import { type Column, table } from "./table.ts";

type Colours = { readonly colours: boolean };

const MEASURED =
  `MB/s    by the client's clock; down: first part to last, up: first part to final verdict
of TCP  that rate as a share of a bare loopback connection's, measured in the same run
ratio   bytes on the server's sockets for each byte of weights
`;

/** @param missing By wire: why it was left out. */
export function benchTables(
  figures: BenchFigures,
  missing: Readonly<Record<string, string>>,
  output: Colours,
): string {
  const { weightBytes, together, alone, floor, peakRssBytes } = figures;
  const columns = columnsOf(weightBytes, floor);
  const floats = (weightBytes / 4).toLocaleString("en-US");
  const weights = `${floats} float32 (${weightBytes / 1e6} MB), down and up once on each wire`;
  const cpu = `${together.seconds.toFixed(2)} s, of which the server's processor time ` +
    `${together.serverCpuSeconds.toFixed(2)} s`;
  const alones = [...alone.values()].flatMap((round) =>
    round.wires.map((wire) => ({ ...wire, whole: round }))
  );
  const left = Object.entries(missing).map(([wire, reason]) => `without ${wire}: ${reason}\n`);
  return [
    `${paint(output, "strong", weights)}\n${MEASURED}`,
    `${paint(output, "strong", "All wires in one round")}, ${cpu}\n` +
    table(together.wires, columns, output),
    `${paint(output, "strong", "Each wire alone")}\n` +
    table<Alone>(alones, [...columns, ...aloneColumns], output),
    table(rows(together, floor, peakRssBytes), [
      { title: "this machine", text: ([what]) => what },
      { title: "", align: "right", text: ([, value]) => value },
    ], output) + left.join(""),
  ].join("\n");
}

function columnsOf(weightBytes: number, { tcp }: Floor): Column<WireFigures>[] {
  const ratio = (bytes: number) => overhead(bytes, weightBytes).toFixed(4);
  return [
    { title: "wire", text: ({ wire }) => wire },
    { title: "down MB/s", align: "right", text: ({ down }) => rateText(down) },
    { title: "up MB/s", align: "right", text: ({ up }) => rateText(up) },
    { title: "down of TCP", align: "right", text: ({ down }) => shareText(down, tcp.down) },
    { title: "up of TCP", align: "right", text: ({ up }) => shareText(up, tcp.up) },
    { title: "down ratio", align: "right", text: ({ wireBytes }) => ratio(wireBytes.down) },
    { title: "up ratio", align: "right", text: ({ wireBytes }) => ratio(wireBytes.up) },
  ];
}

interface Alone extends WireFigures {
  readonly whole: RoundFigures;
}

const aloneColumns: readonly Column<Alone>[] = [
  { title: "round s", align: "right", text: ({ whole }) => whole.seconds.toFixed(2) },
  { title: "server CPU s", align: "right", text: ({ whole }) => whole.serverCpuSeconds.toFixed(2) },
  { title: "close ms", align: "right", text: ({ whole }) => whole.closeMs.toFixed(0) },
];

function rows(
  together: RoundFigures,
  floor: Floor,
  peakRssBytes: number | undefined,
): [string, string][] {
  return [
    ["memcpy", `${rateText(floor.memcpy)} MB/s`],
    ["loopback TCP, server to client", `${rateText(floor.tcp.down)} MB/s`],
    ["loopback TCP, client to server", `${rateText(floor.tcp.up)} MB/s`],
    ["last update's verdict to next model's offer", `${together.closeMs.toFixed(0)} ms`],
    ["main thread blocked at most", `${together.longestBlockMs.toFixed(0)} ms`],
    [
      "server's memory at its most",
      peakRssBytes === undefined ? "unknown" : bytesText(peakRssBytes),
    ],
  ];
}

function rateText(flow: Flow): string {
  return rate(flow)?.toFixed(1) ?? "-";
}

function shareText(flow: Flow, floor: Flow): string {
  const [own, most] = [rate(flow), rate(floor)];
  return own === undefined || most === undefined ? "-" : `${(100 * own / most).toFixed(1)} %`;
}

/** `--format json`. Rates in MB/s of 10^6 bytes, null where too short to be measured. */
export function benchReport(figures: BenchFigures) {
  const { weightBytes, together, alone, floor, peakRssBytes } = figures;
  return {
    weight_bytes: weightBytes,
    together: { ...roundReport(together), wires: wiresReport(together, weightBytes) },
    alone: Object.fromEntries(
      [...alone].map(([wire, round]) => [
        wire,
        { ...roundReport(round), ...wiresReport(round, weightBytes)[wire] },
      ]),
    ),
    floor: {
      memcpy_mb_s: rounded(rate(floor.memcpy)),
      tcp_down_mb_s: rounded(rate(floor.tcp.down)),
      tcp_up_mb_s: rounded(rate(floor.tcp.up)),
    },
    server: { peak_rss_bytes: peakRssBytes ?? null },
    mistakes: figures.mistakes,
  };
}

function roundReport({ seconds, serverCpuSeconds, closeMs, longestBlockMs }: RoundFigures) {
  return {
    seconds: rounded(seconds),
    server_cpu_seconds: rounded(serverCpuSeconds),
    round_close_ms: rounded(closeMs),
    longest_block_ms: rounded(longestBlockMs),
  };
}

function wiresReport({ wires }: RoundFigures, weightBytes: number) {
  return Object.fromEntries(wires.map(({ wire, down, up, wireBytes }) => [wire, {
    down_mb_s: rounded(rate(down)),
    up_mb_s: rounded(rate(up)),
    down_ratio: overhead(wireBytes.down, weightBytes),
    up_ratio: overhead(wireBytes.up, weightBytes),
  }]));
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toFixed(3));
}
