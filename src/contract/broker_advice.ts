/** What to change where a broker was not reached, be it for TLS; behind a sentence's semicolon. */

const TLS_FAILED = /certificate|UnknownIssuer|corrupt message|before secure TLS|write UNKNOWN/i;
/** What a port that wants TLS does with anything else. */
const HUNG_UP = /ECONNRESET|closed the connection/;

/** What to change where the kind of connection could be at fault, as far as `reason` tells. */
export function brokerAdvice(
  reason: string,
  { isTls }: { readonly isTls: boolean },
  { flag, scheme }: { readonly flag: string; readonly scheme: string },
): string {
  if (!isTls) {
    return HUNG_UP.test(reason)
      ? `; if it wants TLS on that port, ${flag} has to begin with ${scheme}://`
      : "";
  }
  if (!TLS_FAILED.test(reason) && !HUNG_UP.test(reason)) return ""; // Deno 2.6 tells no cause
  return `; ${flag} has to name a port where it speaks TLS, by a name that its certificate is for, ` +
    `and ${flag}-ca the authority that vouches for it unless that is a public one`;
}
