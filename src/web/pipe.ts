/** What crosses between the main thread and the listener's Worker. */

import type { ServedFiles } from "./files.ts";
import type { ListenerOptions } from "./options.ts";

/** What the Worker does not know by itself. `readiness` is why clients cannot be served, or empty. */
export type Topic = "status" | "metrics" | "readiness";

/** Main thread to Worker. */
export type Downward =
  | { readonly kind: "start"; readonly options: ListenerOptions; readonly files: ServedFiles }
  | { readonly kind: "reply"; readonly id: number; readonly text: string }
  | { readonly kind: "rejected"; readonly id: number; readonly reason: string }
  | { readonly kind: "close" };

/** Worker to main thread. */
export type Upward =
  | { readonly kind: "listening"; readonly url: string }
  | { readonly kind: "ask"; readonly id: number; readonly topic: Topic }
  | { readonly kind: "refused"; readonly remote: string; readonly reason: string }
  /** The listener is done for; `operator` when the operator must change something. */
  | { readonly kind: "failed"; readonly reason: string; readonly operator: boolean }
  | { readonly kind: "closed" };

/** The part of a Worker, and of a Worker's global scope, that the pipe uses. */
export interface Port<Out, In> {
  postMessage(message: Out): void;
  onmessage: ((event: MessageEvent<In>) => void) | null;
}
