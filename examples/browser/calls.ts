/** What crosses between the page and the Worker in which its client lives. */

import type { SessionEvent } from "../../src/client/session_event.ts";

/** Page to Worker. */
export type Downward =
  | {
    readonly kind: "join";
    readonly clientId: string;
    /** Proves the client's id, where the federation asks for it. */
    readonly token: string | undefined;
    /** In the order in which they are tried. */
    readonly urls: readonly string[];
    /** The samples, in the form of `join --data`. */
    readonly data: string;
  }
  | { readonly kind: "leave" };

/** Worker to page. */
export type Upward =
  /** The samples are loaded, and the server is looked for. */
  | { readonly kind: "joining"; readonly samples: number; readonly classCounts: readonly number[] }
  | { readonly kind: "event"; readonly event: SessionEvent }
  | {
    readonly kind: "finished";
    readonly round: number;
    readonly reason: string;
    /** safetensors. Transferred. */
    readonly model: ArrayBuffer;
    /** Of the model, in hexadecimal. */
    readonly sha256: string;
  }
  /** The server was told. */
  | { readonly kind: "left" }
  /** One sentence for people. */
  | { readonly kind: "failed"; readonly reason: string };
