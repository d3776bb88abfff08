/** The trainer's Worker of a page: that of `tributary join`. */

import "./symbols.ts";
import "../../src/client/trainer_worker.ts";
