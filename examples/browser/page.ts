/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** The page: a form, a Worker in which the client lives, and what it tells. */

import type { SessionEvent } from "../../src/client/session_event.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { addressesOf } from "./addresses.ts";
import type { Downward, Upward } from "./calls.ts";
import { Rounds, type Status } from "./rounds.ts";
import { at, show, showRounds, summarise } from "./view.ts";

/** How often the server is asked how good everybody's model is. */
const ASK_MS = 2000;

const WIRES: Readonly<Record<string, string>> = {
  webtransport: "WebTransport (QUIC over UDP)",
  websocket: "WebSocket (TCP)",
};

let client: Worker | undefined;
let rounds = new Rounds();
/** Why the connection is not by the first address. */
let detour = "";

at("client", HTMLInputElement).value = `browser-${randomName()}`;
at("files", HTMLInputElement).onchange = () => {
  const choice = document.querySelector<HTMLInputElement>("input[value=files]");
  if (choice !== null) choice.checked = true;
};
at("form", HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  void join();
};
at("leave", HTMLButtonElement).onclick = () => post({ kind: "leave" });
void askStatus().catch(() => {}); // said when it is needed

async function join(): Promise<void> {
  running(true);
  rounds = new Rounds();
  detour = "";
  showRounds([]);
  show({ samples: "loading", connection: "none yet" });
  summarise("Loading the samples…");
  try {
    const { wires } = await askStatus();
    const quic = wires.find(({ wire }) => wire === "quic");
    if (quic === undefined || quic.url === "") {
      throw new Error("This server does not serve QUIC, and browsers can join by nothing else");
    }
    const urls = addressesOf(quic.url, location.hostname);
    const clientId = at("client", HTMLInputElement).value;
    client = new Worker(new URL("./client.js", import.meta.url), { type: "module" });
    client.onmessage = ({ data }: MessageEvent<Upward>) => hear(data);
    client.onerror = ({ message }) => end(`The page's Worker failed: ${message}`, "bad");
    post({ kind: "join", clientId, urls, data: dataSpec() });
    void followStatus(client);
  } catch (error) {
    end(error instanceof Error ? error.message : String(error), "bad");
  }
}

function post(call: Downward): void {
  client?.postMessage(call);
}

/** What `join --data` would be given. */
function dataSpec(): string {
  const source = document.querySelector<HTMLInputElement>("input[name=source]:checked");
  if (source?.value !== "files") {
    const [share, shares] = ["share", "shares"].map((id) => at(id, HTMLInputElement).value);
    return `mnist:share=${share}/${shares}`;
  }
  const files = [...at("files", HTMLInputElement).files ?? []];
  if (files.length === 0) throw new Error("Choose a file, or two that belong together");
  // Features before labels: train-images before train-labels, X.npy before y.npy.
  files.sort((left, right) => left.name < right.name ? -1 : 1);
  // The fragment names the file in messages; a fetch takes no notice of it.
  return files.map((file) => `${URL.createObjectURL(file)}#${file.name.replace(/[,:=]/g, "_")}`)
    .join(",");
}

function hear(message: Upward): void {
  switch (message.kind) {
    case "joining": {
      const { samples, classCounts } = message;
      show({ samples: `${samples}, by class: ${classCounts.join(" ")}` });
      return summarise("Looking for the server…");
    }
    case "event":
      observe(message.event);
      return showRounds(rounds.all());
    case "finished": {
      const { model, sha256, round, reason } = message;
      show({ sha256 });
      const save = at("save", HTMLAnchorElement);
      save.href = URL.createObjectURL(new Blob([model], { type: "application/octet-stream" }));
      at("final", HTMLElement).hidden = false;
      return end(`Finished after round ${round}: ${reason}`, "good");
    }
    case "left":
      return end("You have left; the server was told");
    case "failed":
      return end(message.reason.replaceAll(/blob:[^#]*#/g, ""), "bad");
    default:
      message satisfies never;
  }
}

function observe(event: SessionEvent): void {
  switch (event.kind) {
    case "unreachable": {
      const { url, reason, retryInMs } = event;
      if (url.startsWith("quic:")) detour = reason;
      if (retryInMs === undefined) return;
      const seconds = Math.ceil(retryInMs / 1000);
      return summarise(`${reason}; once more in ${seconds} s`, "bad");
    }
    case "welcomed": {
      const { wire } = event;
      const because = wire === "websocket" ? `, as WebTransport is not to be had: ${detour}` : "";
      show({ connection: (WIRES[wire] ?? wire) + because });
      return summarise("Waiting for a round to begin…");
    }
    case "training": {
      const { round, progress: { batch, batches, loss } } = event;
      at("progress", HTMLProgressElement).value = batch / batches;
      rounds.get(round).update = "training";
      return summarise(`Training round ${round}: loss ${loss.toFixed(3)}`);
    }
    case "trained":
      rounds.get(event.round).own = event.metrics;
      rounds.get(event.round).update = "sending";
      return summarise(`Sending the update of round ${event.round}…`);
    case "uploaded": {
      const { round, verdict, detail } = event;
      const known = rounds.get(round);
      known.refused = verdict !== Verdict.ACCEPTED && verdict !== Verdict.DUPLICATE;
      known.update = Verdict[verdict].toLowerCase() + (detail === "" ? "" : `: ${detail}`);
      return summarise(`Waiting for the others to end round ${round}…`);
    }
    case "taskFailed":
      rounds.get(event.round).refused = true;
      rounds.get(event.round).update = event.reason;
      return summarise(event.reason, "bad");
    case "roundClosed":
      at("progress", HTMLProgressElement).value = 0;
      rounds.get(event.round).clients = event.clients;
      return;
    case "lost":
      show({ connection: "none" });
      return summarise(`The connection is lost: ${event.reason}`, "bad");
    case "modelPart":
    case "modelHeld":
    case "evaluated":
      return;
    default:
      event satisfies never;
  }
}

function end(summary: string, look: "good" | "bad" | "" = ""): void {
  client?.terminate();
  client = undefined;
  at("progress", HTMLProgressElement).value = 0;
  running(false);
  summarise(summary, look);
}

function running(isRunning: boolean): void {
  for (const field of at("form", HTMLFormElement).querySelectorAll("input")) {
    field.disabled = isRunning;
  }
  at("join", HTMLButtonElement).disabled = isRunning;
  at("leave", HTMLButtonElement).hidden = !isRunning;
  at("state", HTMLElement).hidden = false;
  if (isRunning) at("final", HTMLElement).hidden = true;
}

async function askStatus(): Promise<Status> {
  const response = await fetch("../status");
  if (!response.ok) throw new Error(await response.text());
  const status: Status = await response.json();
  show({ name: status.name });
  rounds.learn(status.history);
  showRounds(rounds.all());
  return status;
}

/** Asks until the client is over, and once more: the last model is measured after the last round. */
async function followStatus(followed: Worker): Promise<void> {
  for (let isLast = false; !isLast;) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    isLast = client !== followed;
    await askStatus().catch(() => {}); // the client itself notices that the server is gone
  }
}

function randomName(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? "";
}
