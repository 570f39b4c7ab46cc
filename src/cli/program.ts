import { AtomoeError, printable } from '../errors.ts';
import { Arguments, UsageError, type Options } from './arguments.ts';
import { bench } from './bench.ts';
import { carve } from './carve.ts';
import type { Command } from './command.ts';
import { fold } from './fold.ts';
import { inspect } from './inspect.ts';
import { logits } from './logits.ts';
import { merge } from './merge.ts';
import { models } from './models.ts';
import { pack } from './pack.ts';
import { plan } from './plan.ts';
import { prune } from './prune.ts';
import { route } from './route.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { simulate } from './simulate.ts';
import type { Terminal } from './terminal.ts';
import { verify } from './verify.ts';
import { atomoeVersion } from './version.ts';
import { table } from './words.ts';

/** Commands that make a model of another one: the overview shows the first for all of them. */
const RESHAPERS: readonly Command[] = [prune, merge, fold, carve];

/** Every command; a new one is added here. */
const COMMANDS: readonly Command[] = [
  run,
  serve,
  logits,
  route,
  inspect,
  plan,
  models,
  bench,
  verify,
  pack,
  ...RESHAPERS,
  simulate,
];

const EXIT = { good: 0, failed: 1, misused: 2, stopped: 130 } as const;

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 good, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C
 */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === '-v') return answer(terminal, `${await atomoeVersion()}\n`);
  if (name === '--help' || name === '-h' || name === 'help') return answer(terminal, overview());
  const command = COMMANDS.find((candidate) => candidate.name === name);
  try {
    if (!command) throw unknownCommand(name);
    if (rest.includes('--help') || rest.includes('-h')) return answer(terminal, usage(command));
    const args = Arguments.parse(rest, command.wants, command.options);
    return (await command.run(args, terminal)) ? EXIT.good : EXIT.failed;
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.note(`${sentence(error)}; see npx atomoe ${command ? `${name} ` : ''}--help`);
      return EXIT.misused;
    }
    if (terminal.signal.aborted && error === terminal.signal.reason) {
      terminal.status('');
      return EXIT.stopped;
    }
    terminal.note(sentence(error));
    return EXIT.failed;
  }
}

function unknownCommand(name: string): UsageError {
  const known = COMMANDS.map((candidate) => candidate.name).join(', ');
  return new UsageError(`there is no command "${name}"; wanted ${known}`);
}

function answer(terminal: Terminal, text: string): number {
  terminal.write(text);
  return EXIT.good;
}

/** One line, whatever went wrong. */
function sentence(error: unknown): string {
  const message = printable(error instanceof Error ? error.message : String(error));
  return error instanceof AtomoeError ? `atomoe: ${message}` : `atomoe: ${message} (a bug: please report it)`;
}

function overview(): string {
  const [reshaper, ...others] = RESHAPERS;
  const shown = COMMANDS.filter((command) => !others.includes(command));
  const commands = shown.map(({ name, wants, summary }) => [`  ${[name, ...wants].join(' ')}`, summary]);
  // Of what a checkout has: `route` wants a file of one's own, `prune` a text; a screen has no line for `serve`.
  const ready = shown.filter(
    (command) => command.wants.length > 0 && ![route, reshaper, serve].includes(command),
  );
  const examples = ready.map(({ example }) => `  npx atomoe ${example}\n`).join('');
  return `Mixture-of-Experts language models, on WebGPU or the CPU: npx atomoe COMMAND
${table(commands)}MODEL is a folder with config.json and safetensors weights, a GGUF file, the URL
of either, or org/name[:file] of the hub. --device gpu needs npm install webgpu.
Examples, and COMMAND --help for the options:
${examples}`;
}

function usage({ name, wants, summary, example, options }: Command): string {
  const { json, ...others } = options; // explains itself, and a screen has few lines
  return `npx atomoe ${[name, ...wants, ...(json ? ['[--json]'] : [])].join(' ')} [options]
${summary}
${table(optionRows(others))}Example: npx atomoe ${example}
`;
}

function optionRows(options: Options): string[][] {
  const shown = Object.entries(options).filter(([, { help }]) => help !== '');
  return shown.map(([name, { value, help }]) => [
    `  --${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ]);
}
