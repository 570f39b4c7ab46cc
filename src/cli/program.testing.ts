import { main } from './program.ts';
import type { Terminal } from './terminal.ts';

/** Runs a command line, and keeps what it says. */
export async function runProgram(argv: readonly string[], more: Partial<Terminal> = {}) {
  let out = '';
  let aside = '';
  const notes: string[] = [];
  const terminal: Terminal = {
    write: (text) => (out += text),
    note: (line) => notes.push(line),
    status: () => {},
    aside: (text) => (aside += text),
    isMixed: false,
    signal: new AbortController().signal,
    ...more,
  };
  const code = await main(argv, terminal);
  return { code, out, notes, aside };
}
