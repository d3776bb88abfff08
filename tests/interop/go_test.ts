/** The examples in Go, on grpc-go and paho.golang, against the real server. */

import { GO } from "./compiled_clients.ts";
import { testCompiledClients } from "./compiled_federations.ts";

testCompiledClients(GO);
