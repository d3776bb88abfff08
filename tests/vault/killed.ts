/** A process that trains in a state directory and kills itself after so many calls of the vault. */

import { initial, openVault, train } from "./federation_of_five.ts";

const [path = "", lastCall = ""] = Deno.args;
const vault = openVault(path, { strategy: "fedadam" });
const steps = train(vault, vault.open(initial()));
for (let call = 0; call < Number(lastCall); call++) steps.next();
Deno.kill(Deno.pid, "SIGKILL");
