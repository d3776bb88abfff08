/** Exchanges: which queues a message goes to, by type (§3.1.3). */

import { EMPTY_TABLE, sameTable, sameValue, type Table } from "./fields.ts";
import type { Queue } from "./queue.ts";

export const EXCHANGE_TYPES = ["direct", "fanout", "topic", "headers"] as const;
export type ExchangeType = typeof EXCHANGE_TYPES[number];

export function isExchangeType(text: string): text is ExchangeType {
  return (EXCHANGE_TYPES as readonly string[]).includes(text);
}

export interface ExchangeSettings {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  /** Goes with its last binding. */
  readonly autoDelete: boolean;
  /** Takes nothing from publishers. */
  readonly internal: boolean;
  readonly arguments: Table;
}

interface Binding {
  readonly routingKey: string;
  readonly arguments: Table;
}

/** What of a message decides its way. */
export interface Routing {
  readonly routingKey: string;
  readonly headers: Table | undefined;
}

export class Exchange {
  readonly settings: ExchangeSettings;
  readonly #bindings = new Map<Queue, Binding[]>();

  constructor(settings: ExchangeSettings) {
    this.settings = settings;
  }

  get isBound(): boolean {
    return this.#bindings.size > 0;
  }

  bindingCount(queue: Queue): number {
    return this.#bindings.get(queue)?.length ?? 0;
  }

  /** The same binding twice is one binding (1.7 bind, rule "duplicates"). */
  bind(queue: Queue, binding: Binding): void {
    const bindings = this.#bindings.get(queue) ?? [];
    if (!bindings.some((held) => sameBinding(held, binding))) bindings.push(binding);
    this.#bindings.set(queue, bindings);
  }

  /** What is not bound is left as it is. */
  unbind(queue: Queue, binding: Binding): void {
    const left = (this.#bindings.get(queue) ?? []).filter((held) => !sameBinding(held, binding));
    if (left.length > 0) this.#bindings.set(queue, left);
    else this.#bindings.delete(queue);
  }

  unbindAll(queue: Queue): boolean {
    return this.#bindings.delete(queue);
  }

  /** The queues a message goes to, each once (1.7 bind, rule "unique"). */
  route(routing: Routing): Queue[] {
    const queues: Queue[] = [];
    const words = this.settings.type === "topic" ? wordsOf(routing.routingKey) : [];
    for (const [queue, bindings] of this.#bindings) {
      if (bindings.some((binding) => this.#matches(binding, routing, words))) queues.push(queue);
    }
    return queues;
  }

  #matches(binding: Binding, routing: Routing, words: readonly string[]): boolean {
    switch (this.settings.type) {
      case "direct":
        return binding.routingKey === routing.routingKey;
      case "fanout":
        return true;
      case "topic":
        return topicMatches(wordsOf(binding.routingKey), words);
      case "headers":
        return headersMatch(binding.arguments, routing.headers ?? EMPTY_TABLE);
      default:
        return this.settings.type satisfies never;
    }
  }
}

function sameBinding(left: Binding, right: Binding): boolean {
  return left.routingKey === right.routingKey && sameTable(left.arguments, right.arguments);
}

/** §3.1.3.3: zero or more words between dots; an empty key has none. */
export function wordsOf(key: string): string[] {
  return key === "" ? [] : key.split(".");
}

/**
 * §3.1.3.3: `*` is one word, `#` any number of words. When a word does not fit, the last `#` takes
 * one word more, so the work is at most the product of the two lengths.
 */
export function topicMatches(pattern: readonly string[], words: readonly string[]): boolean {
  let at = 0;
  let word = 0;
  let hash = -1;
  let hashWord = 0;
  while (word < words.length) {
    if (pattern[at] === "#") {
      [hash, hashWord] = [at++, word];
    } else if (at < pattern.length && (pattern[at] === "*" || pattern[at] === words[word])) {
      at++;
      word++;
    } else if (hash >= 0) {
      at = hash + 1;
      word = ++hashWord;
    } else {
      return false;
    }
  }
  while (pattern[at] === "#") at++;
  return at === pattern.length;
}

/**
 * §3.1.3.4: with `x-match` all (the default) every argument must stand in the headers, with any one
 * of them. A void argument asks for the header's presence alone.
 */
export function headersMatch(binding: Table, headers: Table): boolean {
  const match = binding.get("x-match");
  const any = match?.type === "S" && new TextDecoder().decode(match.value) === "any";
  const wanted = [...binding].filter(([name]) => !name.startsWith("x-"));
  const fits = ([name, value]: (typeof wanted)[number]) => {
    const header = headers.get(name);
    return header !== undefined && (value.type === "V" || sameValue(value, header));
  };
  return any ? wanted.some(fits) : wanted.every(fits);
}
