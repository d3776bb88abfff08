/** The vault's Worker: the only part of the server that may write. */

import { STRATEGIES, type StrategyEntry } from "../strategies/mod.ts";
import type { VaultCalls, VaultReply, VaultRequest } from "./calls.ts";
import { Vault, VaultError } from "./vault.ts";

const scope = globalThis as unknown as {
  postMessage(reply: VaultReply, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<VaultRequest>) => void) | null;
};

let vault: Vault | undefined;

scope.onmessage = ({ data: request }) => {
  switch (request.kind) {
    case "open":
      return open(request);
    case "call":
      return call(request);
    case "close":
      vault?.[Symbol.dispose]();
      return scope.postMessage({ kind: "closed" }, []);
    default:
      request satisfies never;
  }
};

function open({ start }: Extract<VaultRequest, { kind: "open" }>): void {
  try {
    const entry: StrategyEntry = STRATEGIES[start.strategy.name];
    const strategy = entry.create(start.strategy.options);
    vault = new Vault({ ...start, strategy });
    const opened = vault.open(new Uint8Array(start.initialModel));
    scope.postMessage({ kind: "opened", opened }, []);
  } catch (error) {
    vault?.[Symbol.dispose]();
    const operator = error instanceof VaultError;
    const isFull = operator && error.isFull;
    const reason = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "failed", reason, operator, isFull }, []);
  }
}

function call({ id, name, args }: Extract<VaultRequest, { kind: "call" }>): void {
  try {
    if (vault === undefined) throw new Error("The vault is not open");
    const method = vault[name] as (
      ...args: unknown[]
    ) => Awaited<ReturnType<VaultCalls[typeof name]>>;
    const result: unknown = method.apply(vault, args);
    const transfer = name === "copies" ? result as ArrayBuffer[] : [];
    scope.postMessage({ kind: "result", id, result }, transfer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isFull = error instanceof VaultError && error.isFull;
    scope.postMessage({ kind: "rejected", id, reason, isFull }, []);
  }
}
