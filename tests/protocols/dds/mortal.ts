/** A server to be killed: prints its address, accepts everything, and stays. */

import { options } from "../../../src/protocols/dds/options.ts";
import { DdsServer } from "../../../src/protocols/dds/server.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { library } from "./library.ts";

const own = options.parse({ port: Number(Deno.args[0]), library });
const server = new DdsServer(serverOptions("dds"), own);
const [address] = await server.listen(new ScriptedCoordinator());
await Deno.stdout.write(new TextEncoder().encode(`${address?.url}\n`));
await server.closed;
