/** Addresses in what people read: sentences and logs, which others may come to see. */

/** The whole URL, but for the password that a broker wants. */
export function shownUrl(url: URL): string {
  if (url.password === "") return url.href;
  const shown = new URL(url);
  shown.password = "***";
  return shown.href;
}
