/** A Worker that tries what the vault's Worker must not be able to do, and tells what came of it. */

import { join } from "node:path";

const scope = globalThis as unknown as {
  postMessage(message: Record<string, string>): void;
  onmessage: (
    event: MessageEvent<{ stateDirectory: string | undefined; elsewhere: string }>,
  ) => void;
};

scope.onmessage = async ({ data: { stateDirectory, elsewhere } }) => {
  const own = join(stateDirectory ?? elsewhere, "file");
  const secret = join(elsewhere, "secret");
  const outcomes: Record<string, string> = {};
  const attempts: Record<string, () => unknown> = {
    "write its own": () => Deno.writeTextFileSync(own, "text"),
    "read its own": () => Deno.readTextFileSync(own),
    "read elsewhere": () => Deno.readTextFileSync(secret),
    "write elsewhere": () => Deno.writeTextFileSync(join(elsewhere, "file"), "text"),
    "link elsewhere": () => Deno.symlinkSync(secret, `${own}.link`),
    "connect": () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
    "run a program": () => new Deno.Command(Deno.execPath()).outputSync(),
    "read the environment": () => Deno.env.get("HOME"),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      outcomes[what] = "done";
    } catch (error) {
      outcomes[what] = error instanceof Error ? error.name : String(error);
    }
  }
  scope.postMessage(outcomes);
};
