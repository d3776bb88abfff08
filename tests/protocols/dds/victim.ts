/** A client to be killed: says Hello to the server whose URL it is given, and stays. */

import { dial } from "../../../src/protocols/dds/client.ts";
import { hello, Peer } from "../../support/peer.ts";

const peer = await Peer.dial(dial, Deno.args[0] ?? "", "victim");
await peer.ask(hello());
await peer.connection.lost;
