/** A real browser, driven by the DevTools protocol (chromedevtools.github.io/devtools-protocol). */

import { Awaitable } from "../support/awaitable.ts";
import { ClientProcess } from "./client_process.ts";

/** Debian's package; others name theirs by CHROMIUM. */
const PROGRAM = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox", // there is none for root
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
  "about:blank",
];

interface Reply {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

type Params = Readonly<Record<string, unknown>>;

export class Chromium implements AsyncDisposable {
  readonly #process: ClientProcess;
  readonly #socket: WebSocket;
  /** The process, and then its profile. */
  readonly #stack: AsyncDisposableStack;
  readonly #calls = new Map<number, PromiseWithResolvers<Reply>>();
  /** What pages wrote on their consoles, and what the browser had against them. */
  readonly complaints = new Awaitable<string>();
  #nextId = 1;

  private constructor(process: ClientProcess, socket: WebSocket, stack: AsyncDisposableStack) {
    this.#process = process;
    this.#socket = socket;
    this.#stack = stack;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  /** @throws {Error} with one sentence when there is no Chromium. */
  static async open(...flags: readonly string[]): Promise<Chromium> {
    await using stack = new AsyncDisposableStack();
    const profile = await Deno.makeTempDir({ prefix: "tributary-chromium-" });
    stack.defer(() => Deno.remove(profile, { recursive: true }));
    const process = stack.use(startWith([...flags, `--user-data-dir=${profile}`, ...FLAGS]));
    const beginning = "DevTools listening on ";
    const url = (await process.says(beginning)).slice(beginning.length);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new Chromium(process, socket, stack.move());
  }

  /** A new tab that shows `url`. */
  async show(url: string): Promise<Tab> {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, String(sessionId));
    await tab.open(url);
    return tab;
  }

  async call(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = this.#nextId++;
    const answered = Promise.withResolvers<Reply>();
    this.#calls.set(id, answered);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result = {}, error } = await answered.promise;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #receive(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#calls.get(reply.id)?.resolve(reply);
      this.#calls.delete(reply.id);
    } else if (reply.method === "Log.entryAdded" || reply.method === "Runtime.exceptionThrown") {
      this.complaints.push(JSON.stringify(reply.params));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _stack = this.#stack;
    const closed = new Promise((resolve) => {
      this.#socket.onclose = resolve;
    });
    await this.call("Browser.close");
    await closed;
    await this.#process.ended(); // by itself, so that its own processes are gone, too
  }
}

function startWith(args: string[]): ClientProcess {
  try {
    return new ClientProcess(PROGRAM, { args });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("chromium is missing: apt-get install chromium", { cause: error });
  }
}

export class Tab {
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  async open(url: string): Promise<void> {
    for (const domain of ["Page", "Log", "Runtime"]) await this.#call(`${domain}.enable`);
    await this.#call("Page.navigate", { url });
    await this.evaluate("document.readyState === 'complete' || new Promise((r) => onload = r)");
  }

  /** The value of an expression of the page; of a promise, once it is resolved. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  }

  /** The text of an element. */
  async text(selector: string): Promise<string> {
    return String(await this.evaluate(`document.querySelector('${selector}').textContent`));
  }

  /** Resolves with the text of an element once it fits. */
  async says(selector: string, fits: RegExp): Promise<string> {
    return String(
      await this.evaluate(`new Promise((resolve) => {
        const look = () => {
          const text = document.querySelector('${selector}')?.textContent ?? '';
          if (${fits}.test(text)) resolve(text);
        };
        new MutationObserver(look).observe(document, {
          subtree: true, childList: true, characterData: true,
        });
        look();
      })`),
    );
  }

  async fill(selector: string, value: string): Promise<void> {
    const text = JSON.stringify(value);
    await this.evaluate(`void (document.querySelector('${selector}').value = ${text})`);
  }

  async click(selector: string): Promise<void> {
    await this.evaluate(`document.querySelector('${selector}').click()`);
  }

  /** Chooses files in an input, as a person would. */
  async choose(selector: string, files: readonly string[]): Promise<void> {
    const { root } = await this.#call("DOM.getDocument");
    const { nodeId } = await this.#call("DOM.querySelector", {
      nodeId: (root as { nodeId: number }).nodeId,
      selector,
    });
    await this.#call("DOM.setFileInputFiles", { nodeId, files });
  }

  /** As a window of that size shows it, in CSS pixels. */
  async resize(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#call("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** PNG of the whole page. */
  async picture(scheme: "light" | "dark"): Promise<Uint8Array> {
    await this.#call("Page.bringToFront"); // only what is in front is drawn
    await this.#call("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
    const { data } = await this.#call("Page.captureScreenshot", { captureBeyondViewport: true });
    return Uint8Array.fromBase64(String(data));
  }

  #call(method: string, params: Params = {}): Promise<Params> {
    return this.#browser.call(method, params, this.#session);
  }
}
