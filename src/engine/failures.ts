/** The border of the engine: what goes wrong behind it comes out as an AtomoeError, or as the reason of an abort. */
import { AtomoeError } from '../errors.ts';

/**
 * Runs something for a caller.
 *
 * @param signal - the caller's: its own reason comes back as it is
 */
export async function typed<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw asTyped(error, signal);
  }
}

/** An error as callers get it. */
export function asTyped(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted && (error === signal.reason || causeOf(error) === signal.reason)) return signal.reason;
  return typedError(error);
}

/** The error itself where it is an AtomoeError; else one with the code that fits it, and the original as its cause. */
export function typedError(error: unknown): AtomoeError {
  if (error instanceof AtomoeError) return error;
  if (isOutOfMemory(error)) {
    return new AtomoeError(
      'out-of-memory',
      `the memory of this tab or process does not suffice (${textOf(error)}); wanted more; ` +
        'close others, or choose a smaller model or context',
      { cause: error },
    );
  }
  if (error instanceof Error && saysMissingModule(error.message)) {
    return new AtomoeError(
      'network',
      `a file of Atomoe's own did not load (${textOf(error)}); wanted all files of one version side by side; ` +
        'check the connection and what is deployed, then reload the page',
      { cause: error },
    );
  }
  return new AtomoeError(
    'internal',
    `something failed that never should: ${textOf(error)}; wanted no such error; please report it`,
    { cause: error },
  );
}

/** What engines say when an ArrayBuffer cannot be had. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /allocat|array length|buffer length|memory/i.test(error.message);
}

/** Whether this is what Chrome, Firefox, Safari or Node says of an import() whose file does not come. */
export function saysMissingModule(message: string): boolean {
  return /dynamically imported module|importing a module script failed|cannot find module/i.test(message);
}

function causeOf(error: unknown): unknown {
  return error instanceof AtomoeError ? error.cause : undefined;
}

/** Name and message of whatever was thrown, in one line. */
export function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return 'an object that cannot be shown';
  }
}

/** The error of a second reply on a session while the first still runs. */
export function sessionBusy(): AtomoeError {
  return new AtomoeError(
    'busy',
    'this session is replying; wanted one reply at a time; wait for it, stop it, or open another session',
  );
}

/** The error of a session that was disposed of. */
export function sessionDisposed(): AtomoeError {
  return new AtomoeError('disposed', 'this session was disposed; call engine.session() for another');
}
