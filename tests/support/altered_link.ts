/** A link to a real protocol server, of which a test alters a part. */

import type { Link } from "../../src/contract/protocol_server.ts";

/** What a test may do in the place of the link. */
export type Alterations = Partial<Pick<Link, "listen" | "send" | "download">>;

/** Passes everything on to `link` but for the alterations, which pass on what they want to. */
export function altered(link: Link, alterations: Alterations): Link {
  return {
    get closed() {
      return link.closed;
    },
    listen: (upcalls) => link.listen(upcalls),
    send: (route, message, options) => link.send(route, message, options),
    drop: (route, reason) => link.drop(route, reason),
    traffic: () => link.traffic(),
    hold: (model) => link.hold(model),
    release: (round) => link.release(round),
    download: (route, from, options) => link.download(route, from, options),
    acknowledge: (route, held) => link.acknowledge(route, held),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    ...alterations,
  };
}
