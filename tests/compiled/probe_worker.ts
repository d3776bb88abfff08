/** A Worker that tries what no Worker may do, and what its own house may; tells what came of it. */

export interface Attempts {
  /** Its own port; undefined for a Worker that listens nowhere. */
  readonly port: number | undefined;
  /** A file that is there, and that the process may read and write. */
  readonly file: string;
}

// The global scope of a Worker has both members; its type is that of the main thread.
const scope = globalThis as unknown as {
  postMessage(outcomes: Record<string, string>): void;
  onmessage: ((event: MessageEvent<Attempts>) => void) | null;
};

const attempts: Readonly<Record<string, (given: Attempts) => unknown>> = {
  "read a file": ({ file }) => Deno.readTextFileSync(file),
  "write a file": ({ file }) => Deno.writeTextFileSync(file, "mine"),
  "open another port": () => Deno.listen({ hostname: "127.0.0.1", port: 39_999 }).close(),
  "connect": async () => (await Deno.connect({ hostname: "127.0.0.1", port: 9 })).close(),
  "run a program": () => new Deno.Command("/bin/true").outputSync(),
  "read the environment": () => Deno.env.get("HOME"),
  "ask for the host's name": () => Deno.hostname(),
  "ask for more": async () => {
    const { state } = await Deno.permissions.request({ name: "read" });
    if (state !== "granted") throw new Deno.errors.NotCapable(state);
  },
  "open its own port": ({ port = 0 }) => Deno.listen({ hostname: "127.0.0.1", port }).close(),
};

scope.onmessage = async ({ data }) => {
  const outcomes: Record<string, string> = {};
  for (const [what, attempt] of Object.entries(attempts)) {
    try {
      await attempt(data);
      outcomes[what] = "done";
    } catch (error) {
      outcomes[what] = error instanceof Error ? error.name : String(error);
    }
  }
  scope.postMessage(outcomes);
};
