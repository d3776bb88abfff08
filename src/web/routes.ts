/** What each path answers. */

import { respondWithFile, respondWithText, type ServedFiles } from "./files.ts";
import { addressesOf, joinPolicy } from "./join.ts";
import { joinPage } from "./join_page.ts";
import type { Page } from "./page.ts";
import type { Topic } from "./pipe.ts";
import type { Status } from "./status.ts";

/** Asks the main thread. Rejects when it cannot tell. */
export type Ask = (topic: Topic) => Promise<string>;

/** What answers are made of. */
export interface Site {
  readonly ask: Ask;
  readonly page: Page;
  readonly files: ServedFiles;
}

const PLAIN = "text/plain; charset=utf-8";
/** Prometheus' text format. */
const METRICS = "text/plain; version=0.0.4; charset=utf-8";
const PATHS = "/, /join/, /status, /metrics, /healthz and /readyz";

export async function respond(request: Request, site: Site): Promise<Response> {
  const { pathname } = new URL(request.url);
  const route = routes.get(pathname) ?? contentRoute(pathname, site);
  if (route === undefined) {
    return answer(404, `Nothing is at ${pathname}; there are ${PATHS}\n`);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const refusal = answer(405, `${pathname} takes GET and HEAD, not ${request.method}\n`);
    refusal.headers.set("allow", "GET, HEAD");
    return refusal;
  }
  try {
    return await route(site, request);
  } catch (error) {
    return answer(503, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

type Route = (site: Site, request: Request) => Promise<Response> | Response;

const routes: ReadonlyMap<string, Route> = new Map<string, Route>(Object.entries({
  "/": ({ page }: Site) => {
    const response = answer(200, page.html, "text/html; charset=utf-8");
    response.headers.set("content-security-policy", page.policy);
    return response;
  },
  "/status": async ({ ask }: Site) => answer(200, await ask("status"), "application/json"),
  "/metrics": async ({ ask }: Site) => answer(200, await ask("metrics"), METRICS),
  "/healthz": () => answer(200, "ok\n"),
  "/readyz": async ({ ask }: Site) => {
    const reason = await ask("readiness");
    return reason === "" ? answer(200, "ready\n") : answer(503, `Not ready: ${reason}\n`);
  },
  "/join": () => new Response(null, { status: 308, headers: { location: "join/" } }),
  "/join/addresses": async (site: Site, request: Request) => {
    const addresses = await addressesFor(request, site);
    if (addresses.length > 0) return answer(200, JSON.stringify(addresses), "application/json");
    return answer(503, "Browsers join over QUIC or WebSocket, and neither is served now\n");
  },
}));

/** What the page at /join/ is made of. */
function contentRoute(pathname: string, { files }: Site): Route | undefined {
  const text = joinPage.get(pathname);
  if (text !== undefined) return withPolicy((request) => respondWithText(request, text));
  const file = files.get(pathname);
  return file && withPolicy((request) => respondWithFile(request, file));
}

/** Each script has the policy, too: that of a Worker is what its script came with. */
function withPolicy(content: (request: Request) => Promise<Response> | Response): Route {
  return async (site, request) => {
    const policy = joinPolicy(await addressesFor(request, site));
    const response = await content(request);
    response.headers.set("content-security-policy", policy);
    return response;
  };
}

async function addressesFor(request: Request, { ask }: Site): Promise<string[]> {
  const status: Status = JSON.parse(await ask("status"));
  return addressesOf(status, new URL(request.url));
}

function answer(status: number, text: string, type = PLAIN): Response {
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(text, { status, headers });
}
