/** The closed list of things that can go wrong for a caller. */
export type ErrorCode =
  | 'no-webgpu'
  | 'limit-too-small'
  | 'device-lost'
  | 'out-of-memory'
  | 'bad-file'
  | 'unsupported-model'
  | 'bad-input'
  | 'context-full'
  | 'non-finite'
  | 'network'
  | 'cors'
  | 'integrity'
  | 'storage-full'
  | 'storage-locked'
  | 'busy'
  | 'disposed'
  | 'shader';

/**
 * The one error that Atomoe rejects with. The message has three parts: what happened; actual against wanted; what
 * to do. `cause` chains the underlying error.
 */
export class AtomoeError extends Error {
  override readonly name = 'AtomoeError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Throws a plain `Error` when the programmer, not the caller's data, is wrong. */
export function invariant(condition: unknown, message: () => string): asserts condition {
  if (!condition) throw new Error(message());
}
