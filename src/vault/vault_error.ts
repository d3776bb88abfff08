/** The operator's mistakes about a state directory or a model. */

/** One sentence that says what to change. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  /** The disk has no room for what the run cannot go on without; with room it goes on. */
  readonly isFull: boolean;

  constructor(
    message: string,
    { isFull = false, ...options }: ErrorOptions & { isFull?: boolean } = {},
  ) {
    super(message, options);
    this.isFull = isFull;
  }
}
