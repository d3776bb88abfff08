/** The systems that an executable can be made for, and the wires that each has. */

import { isFetchable } from "../protocols/dds/fetch_library.ts";
import type { Compiler } from "./compiler.ts";

/** As `deno compile --target` names them. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

export type Target = (typeof TARGETS)[number];

/** The file name of an executable for it. */
export function fileName(name: string, target: Target): string {
  return target.includes("windows") ? `${name}.exe` : name;
}

/** One line: the wires, and why one is not among them. */
export function wiresOf(target: Target, { grpcRefusal }: Compiler): string {
  const wires = ["mqtt", "amqp", "quic"];
  const without: string[] = [];
  if (grpcRefusal === undefined) wires.push("grpc");
  else without.push(`without grpc: ${grpcRefusal}`);
  if (isFetchable(target)) wires.push("dds");
  else without.push("dds where the system has a libddsc: none is to be had to put inside");
  return [wires.join(", "), ...without].join("; ");
}
