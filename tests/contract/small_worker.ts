/** The Worker in which a small server lives. */

import { serveLink } from "../../src/contract/link.ts";
import { type SmallOptions, SmallServer } from "./small_server.ts";

serveLink((options) => new SmallServer(options as SmallOptions));
