/** The examples in Rust, on tonic and rumqttc, against the real server. */

import { RUST } from "./compiled_clients.ts";
import { testCompiledClients } from "./compiled_federations.ts";

testCompiledClients(RUST);
