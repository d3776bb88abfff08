/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** What a person says in the form: who this client is, and what data it has. */

import { at } from "./view.ts";

/** Gives the client a name until a person does. */
export function prepareForm(): void {
  const name = crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? "";
  at("client", HTMLInputElement).value = `browser-${name}`;
}

export function clientId(): string {
  return at("client", HTMLInputElement).value;
}

/** What `join --token` would be given; undefined where the field is empty. */
export function token(): string | undefined {
  const text = at("token", HTMLInputElement).value.trim();
  return text === "" ? undefined : text;
}

/**
 * What `join --data` would be given.
 * @throws {Error} when no file is chosen.
 */
export function dataSpec(): string {
  const source = document.querySelector<HTMLInputElement>("input[name=source]:checked");
  if (source?.value !== "files") {
    const [share, shares] = ["share", "shares"].map((id) => at(id, HTMLInputElement).value);
    return `mnist:share=${share}/${shares}`;
  }
  const files = [...at("files", HTMLInputElement).files ?? []];
  if (files.length === 0) throw new Error("Choose a file, or two that belong together");
  // Features before labels: train-images before train-labels, X.npy before y.npy.
  files.sort((left, right) => left.name < right.name ? -1 : 1);
  const options = at("options", HTMLInputElement).value;
  return files.map(urlOf).join(",") + (options === "" ? "" : `:${options}`);
}

/** The fragment names the file in messages; a fetch takes no notice of it. */
function urlOf(file: File): string {
  return `${URL.createObjectURL(file)}#${file.name.replace(/[,:=]/g, "_")}`;
}

/** A message as it reads with the files' own names. */
export function withFileNames(message: string): string {
  return message.replaceAll(/blob:[^#\s]*#/g, "");
}

export function lockForm(isLocked: boolean): void {
  for (const input of at("form", HTMLFormElement).querySelectorAll("input")) {
    input.disabled = isLocked;
  }
  at("join", HTMLButtonElement).hidden = isLocked;
  at("leave", HTMLButtonElement).hidden = !isLocked;
}
