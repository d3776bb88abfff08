/** What the coordinator asks of the vault, and how it crosses to the vault's Worker. */

import type { StrategyName } from "../strategies/mod.ts";
import type { Durability } from "./durability.ts";
import type { Assigned, Ending, Metrics, RoundRecord, SessionRow } from "./records.ts";
import type { MadeRound, Opened, Part, PartOutcome } from "./vault.ts";

/** How the vault's Worker is started. */
export interface VaultStart {
  readonly stateDirectory: string | undefined;
  readonly name: string;
  readonly strategy: {
    readonly name: StrategyName;
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly keepModels: number;
  readonly keepRounds: number;
  readonly stateMaxBytes?: number | undefined;
  readonly durability: Durability;
  /** A safetensors file; used where the state directory holds no run yet. */
  readonly initialModel: ArrayBuffer;
}

/** The vault as the coordinator sees it: `Vault`'s methods, each answered by a message. */
export interface VaultCalls {
  begin(round: number, assigned: readonly Assigned[]): Promise<void>;
  /** Transfers `part.bytes`. */
  part(part: Part): Promise<PartOutcome>;
  discard(client: string): Promise<void>;
  abandon(round: number): Promise<void>;
  close(round: number): Promise<MadeRound>;
  save(round: number, seconds: number): Promise<RoundRecord>;
  evaluated(round: number, evaluation: Metrics): Promise<void>;
  copies(round: number, count: number): Promise<ArrayBuffer[]>;
  sha256(round: number): Promise<string>;
  finish(round: number, ending: Ending): Promise<{ sha256: string; modelPath: string | undefined }>;
  end(): Promise<void>;
  keepSession(session: SessionRow): Promise<void>;
  endSession(client: string, confirmed: boolean): Promise<void>;
}

export type VaultRequest =
  | { readonly kind: "open"; readonly start: VaultStart }
  | {
    readonly kind: "call";
    readonly id: number;
    readonly name: keyof VaultCalls;
    readonly args: unknown[];
  }
  | { readonly kind: "close" };

export type VaultReply =
  | { readonly kind: "opened"; readonly opened: Opened }
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  /** `isFull`: the disk has no room, and the sentence says what to do. */
  | {
    readonly kind: "rejected";
    readonly id: number;
    readonly reason: string;
    readonly isFull: boolean;
  }
  /** `operator`: the state directory or the model cannot be used, and the sentence says why. */
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly operator: boolean;
    readonly isFull: boolean;
  }
  | { readonly kind: "closed" };
