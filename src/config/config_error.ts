/** The operator's mistake in a setting. */

/** Says in one sentence each what is wrong, where it was set, and what to change. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly sentences: readonly string[];

  constructor(sentences: readonly string[], options?: ErrorOptions) {
    super(sentences.join("\n"), options);
    this.sentences = sentences;
  }
}
