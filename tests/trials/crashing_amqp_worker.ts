/** The product's AMQP Worker, and one message more: told to crash, it throws what nobody catches. */

import "../../src/protocols/amqp/worker.ts";

// The global scope of a Worker has this member; its type is that of the main thread.
const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<{ readonly kind: string }>) => void) | null;
};

const serve = scope.onmessage;
scope.onmessage = (event) => {
  if (event.data.kind === "crash") throw new Error("crashed, as the trial asked");
  serve?.(event);
};
