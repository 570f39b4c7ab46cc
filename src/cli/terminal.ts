import { setMaxListeners } from 'node:events';
import process from 'node:process';
import { printable } from '../errors.ts';

/** Where a command writes, and how it learns of Ctrl-C. Tests hand in one of their own. */
export interface Terminal {
  /** Results: to stdout, as they are; without control codes where that is a terminal. */
  write(text: string): void;
  /** What people should know beside the results: a line on stderr. */
  note(line: string): void;
  /** What belongs to the results and is none, as thoughts before an answer: to stderr, dimmed where that is a terminal. */
  aside(text: string): void;
  /** Replaces the one status line on stderr; nothing where stderr is no terminal. '' takes it away. */
  status(text: string): void;
  /** Whether the results go to the terminal that shows the status line. */
  readonly isMixed: boolean;
  readonly signal: AbortSignal; // aborted by Ctrl-C, and when no one reads the results any more
}

const CLEAR_LINE = '\r\u001b[K';
const STATUS_MS = 50; // between two status lines: no one reads faster

/**
 * Lines of text without control codes, which a model's words and names may hold: a terminal would obey them (colours,
 * its title, the clipboard).
 */
export function withoutEscapes(text: string): string {
  return text
    .split(/(\r?\n|\t)/)
    .map((part, index) => (index % 2 === 1 ? part : printable(part)))
    .join('');
}

function dimmed(text: string): string {
  return `\u001b[2m${withoutEscapes(text)}\u001b[22m`;
}

/** The terminal of this process. The first Ctrl-C stops politely; a second one kills. */
export function processTerminal(): Terminal {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every expert on its way listens: Node would warn of a leak from the eleventh on
  const isWatched = process.stderr.isTTY;
  let hasStatus = false;
  let writtenMs = -Infinity;
  const status = (text: string) => {
    if (!isWatched || (text === '' && !hasStatus)) return;
    const nowMs = performance.now();
    if (text !== '' && nowMs - writtenMs < STATUS_MS) return;
    process.stderr.write(CLEAR_LINE + printable(text).slice(0, (process.stderr.columns || 80) - 1));
    hasStatus = text !== '';
    writtenMs = nowMs;
  };
  process.once('SIGINT', () => stop.abort());
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    stop.abort(); // `atomoe run ... | head`: the reader has left
  });
  return {
    write: (text) => {
      if (hasStatus && process.stdout.isTTY) status('');
      process.stdout.write(process.stdout.isTTY ? withoutEscapes(text) : text);
    },
    note: (line) => {
      status('');
      process.stderr.write(`${withoutEscapes(line)}\n`);
    },
    aside: (text) => {
      status('');
      process.stderr.write(isWatched ? dimmed(text) : text);
    },
    status,
    isMixed: Boolean(isWatched && process.stdout.isTTY),
    signal: stop.signal,
  };
}
