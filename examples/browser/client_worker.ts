/**
 * The Worker in which a page's client lives: the same session as that of `tributary join`. Not the
 * page itself, because browsers slow down the timers of pages that nobody looks at, and heartbeats
 * are late then.
 */

import "./symbols.ts";
import { Session } from "../../src/client/session.ts";
import { sha256 } from "../../src/client/sha256.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import type { Downward, Upward } from "./calls.ts";

// The global scope of a Worker has both members; its type is that of the main thread.
const page = globalThis as unknown as {
  postMessage(message: Upward, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Downward>) => void) | null;
};

const leaving = new AbortController();

page.onmessage = ({ data: call }) => {
  switch (call.kind) {
    case "join":
      void join(call);
      return;
    case "leave":
      leaving.abort();
      return;
    default:
      call satisfies never;
  }
};

async function join(call: Extract<Downward, { kind: "join" }>): Promise<void> {
  try {
    await takePart(call);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    page.postMessage(leaving.signal.aborted ? { kind: "left" } : { kind: "failed", reason });
  }
}

async function takePart(
  { clientId, token, urls, data }: Extract<Downward, { kind: "join" }>,
): Promise<void> {
  await using trainer = await TfjsTrainer.open(data);
  const { samples, classCounts } = trainer;
  page.postMessage({ kind: "joining", samples, classCounts });
  const session = new Session({
    clientId,
    ...(token === undefined ? {} : { token }),
    urls: urls.map((url) => new URL(url)),
    trainer,
    software: "tributary browser page",
    signal: leaving.signal,
    observe: (event) => page.postMessage({ kind: "event", event }),
  });
  const { model, round, reason } = await session.run();
  const digest = Array.from(sha256(model), (byte) => byte.toString(16).padStart(2, "0")).join("");
  page.postMessage({ kind: "finished", round, reason, model: model.buffer, sha256: digest }, [
    model.buffer,
  ]);
}
