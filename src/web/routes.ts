/** What each path answers. */

import type { Page } from "./page.ts";
import type { Topic } from "./pipe.ts";

/** Asks the main thread. Rejects when it cannot tell. */
export type Ask = (topic: Topic) => Promise<string>;

const PLAIN = "text/plain; charset=utf-8";
/** Prometheus' text format. */
const METRICS = "text/plain; version=0.0.4; charset=utf-8";
const PATHS = "/, /status, /metrics, /healthz and /readyz";

export async function respond(request: Request, ask: Ask, page: Page): Promise<Response> {
  const { pathname } = new URL(request.url);
  const route = routes.get(pathname);
  if (route === undefined) {
    return answer(404, `Nothing is at ${pathname}; there are ${PATHS}\n`);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const refusal = answer(405, `${pathname} takes GET and HEAD, not ${request.method}\n`);
    refusal.headers.set("allow", "GET, HEAD");
    return refusal;
  }
  try {
    return await route(ask, page);
  } catch (error) {
    return answer(503, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

type Route = (ask: Ask, page: Page) => Promise<Response> | Response;

const routes: ReadonlyMap<string, Route> = new Map<string, Route>(Object.entries({
  "/": (_ask: Ask, page: Page) => {
    const response = answer(200, page.html, "text/html; charset=utf-8");
    response.headers.set("content-security-policy", page.policy);
    return response;
  },
  "/status": async (ask: Ask) => answer(200, await ask("status"), "application/json"),
  "/metrics": async (ask: Ask) => answer(200, await ask("metrics"), METRICS),
  "/healthz": () => answer(200, "ok\n"),
  "/readyz": async (ask: Ask) => {
    const reason = await ask("readiness");
    return reason === "" ? answer(200, "ready\n") : answer(503, `Not ready: ${reason}\n`);
  },
}));

function answer(status: number, text: string, type = PLAIN): Response {
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(text, { status, headers });
}
