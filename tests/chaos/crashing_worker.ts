/** The Worker of the wire that it is named after, and one message more: told to crash, it does. */

type Message = MessageEvent<{ readonly kind: string }>;

// The global scope of a Worker has these members; its type is that of the main thread.
const scope = globalThis as unknown as {
  readonly name: string;
  onmessage: ((event: Message) => void) | null;
};

/** What comes while the wire's own module is still being loaded. */
const early: Message[] = [];
const keep = (event: Message) => void early.push(event);
scope.onmessage = keep;

const [house, isBroker] = scope.name.split("@");
const room = `${house}/${isBroker === undefined ? "worker" : "broker_worker"}.ts`;
await import(new URL(`../../src/protocols/${room}`, import.meta.url).href);

const serve = scope.onmessage;
if (serve === keep) throw new Error(`The Worker of ${scope.name} listens to nobody`);
scope.onmessage = (event) => {
  if (event.data.kind === "crash") throw new Error("crashed, as the trial asked");
  serve(event);
};
for (const event of early) scope.onmessage(event);
