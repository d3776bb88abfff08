/// <reference lib="dom" />
/** The page: a form, a Worker in which the client lives, and what it tells. */

import { Account } from "./account.ts";
import type { Downward, Upward } from "./calls.ts";
import { clientId, dataSpec, lockForm, prepareForm, token, withFileNames } from "./form.ts";
import type { Status } from "./rounds.ts";
import { at, enter, type Phase, show, showSamples } from "./view.ts";

/** How often the server is asked how good everybody's model is. */
const ASK_MS = 2000;

let client: Worker | undefined;
let account: Account | undefined;

prepareForm();
lockForm(false);
at("form", HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  void join();
};
at("leave", HTMLButtonElement).onclick = () => post({ kind: "leave" });
void askStatus().catch(() => {}); // said when it is needed

async function join(): Promise<void> {
  lockForm(true);
  account = new Account();
  enter("joining", "Loading the samples");
  try {
    const response = await fetch("addresses");
    if (!response.ok) throw new Error(await response.text());
    const urls: string[] = await response.json();
    client = new Worker(new URL("./client.js", import.meta.url), { type: "module" });
    client.onmessage = ({ data }: MessageEvent<Upward>) => hear(data);
    client.onerror = ({ message }) => end("failed", `The page's Worker failed: ${message}`);
    post({ kind: "join", clientId: clientId(), token: token(), urls, data: dataSpec() });
    void followStatus(client);
  } catch (error) {
    end("failed", error instanceof Error ? error.message : String(error));
  }
}

function post(call: Downward): void {
  client?.postMessage(call);
}

function hear(message: Upward): void {
  switch (message.kind) {
    case "joining":
      showSamples(message.samples, message.classCounts);
      return enter("joining", "Looking for the server by WebTransport");
    case "event":
      return account?.hear(message.event);
    case "finished": {
      const { model, sha256, round, reason } = message;
      show({ sha256 });
      const save = at("save", HTMLAnchorElement);
      URL.revokeObjectURL(save.href);
      save.href = URL.createObjectURL(new Blob([model], { type: "application/octet-stream" }));
      return end("finished", `The model is final after round ${round}: ${reason}`);
    }
    case "left":
      return end("left", "You have left; the server was told");
    case "failed":
      return end("failed", withFileNames(message.reason));
    default:
      message satisfies never;
  }
}

function end(phase: Phase, summary: string): void {
  client?.terminate();
  client = undefined;
  lockForm(false);
  enter(phase, summary);
}

async function askStatus(): Promise<void> {
  const response = await fetch("../status");
  if (!response.ok) throw new Error(await response.text());
  const status: Status = await response.json();
  show({ name: status.name });
  account?.learn(status);
}

/** Asks until the client is over, and once more: the last model is measured after the last round. */
async function followStatus(followed: Worker): Promise<void> {
  for (let isLast = false; !isLast;) {
    isLast = client !== followed;
    await askStatus().catch(() => {}); // the client itself notices that the server is gone
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}
