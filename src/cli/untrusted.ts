/** What there is to do about a server whose certificate does not convince, as Deno's TLS words it. */

/** Deno 2.6 tells no cause. */
const UNTOLD =
  "it speaks no TLS there, or its certificate has expired, is for other names, or is of " +
  "no authority that is known here: name that by --ca";
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /certificate expired|: Expired\b/i,
    "its certificate has expired, or this machine's clock is wrong: renew it, and start the server again",
  ],
  [
    /certificate not valid yet|NotValidYet/i,
    "its certificate is not valid yet, or this machine's clock is wrong",
  ],
  [
    /not valid for name|NotValidForName|certificate's altnames/i,
    "its certificate is for other names: use one of those, or make one that is for this name",
  ],
  // What Deno's node:tls makes of all of these.
  [
    /unable to verify the first certificate/,
    "its certificate has expired, or is of no authority that is known here: name that by --ca",
  ],
  [
    /invalid peer certificate|self-signed certificate/,
    "no authority that is known here vouches for it: name that by --ca",
  ],
  [/write UNKNOWN/, UNTOLD],
];

/** One clause, or undefined where the failure has another cause. */
export function untrusted(failure: string, url = ""): string | undefined {
  // Of a failed handshake the MQTT library hears with Deno 2.6 only that it is over.
  if (/^mqtts:/.test(url) && /endpoint closed the connection/.test(failure)) return UNTOLD;
  return ADVICE.find(([words]) => words.test(failure))?.[1];
}
