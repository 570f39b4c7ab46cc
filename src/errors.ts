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
  | 'shader'
  | 'internal'; // a fault of Atomoe's own, or of code that it was given

/** Longest message, in UTF-16 units: names and values from a model's files may have any length. */
const MESSAGE_LENGTH = 1000;
/** Of a longer message this much of the end is kept: that is where it says what to do. */
const TAIL_LENGTH = 300;

/** C0 and C1 control codes, line separators, and the marks that reorder text. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Text as a terminal or a page can show it on one line: white space becomes a space, every other control code its
 * escape (`\\u001b`), and half a surrogate pair U+FFFD.
 */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\t\n\r\v\f\u0085\u2028\u2029]+/g, ' ')
    .replaceAll(UNPRINTABLE, (code) => `\\u${code.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The text, shortened in the middle where it is longer than `MESSAGE_LENGTH`. */
function bounded(text: string): string {
  if (text.length <= MESSAGE_LENGTH) return text;
  const head = text.slice(0, MESSAGE_LENGTH - TAIL_LENGTH);
  return `${head} ... ${text.slice(-TAIL_LENGTH)}`.toWellFormed();
}

/**
 * The one error that Atomoe rejects with. The message has three parts: what happened; actual against wanted; what
 * to do. It is one printable line of bounded length, whatever a model's files put into it. `cause` chains the
 * underlying error.
 */
export class AtomoeError extends Error {
  override readonly name = 'AtomoeError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(printable(bounded(message)), options);
    this.code = code;
  }
}

/** Throws a plain `Error` when the programmer, not the caller's data, is wrong. */
export function invariant(condition: unknown, message: () => string): asserts condition {
  if (!condition) throw new Error(message());
}
