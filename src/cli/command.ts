import type { Arguments, Options } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** One command of the program. */
export interface Command {
  readonly name: string;
  readonly wants: readonly string[]; // positional arguments, all required
  readonly summary: string; // one line of the overview
  readonly example: string; // what follows `npx atomoe `
  readonly options: Options;
  /** @returns whether the answer is good: false exits with 1 */
  run(args: Arguments, terminal: Terminal): Promise<boolean>;
}
