import type { LocalEngine } from '../engine/index.ts';
import { UsageError } from './arguments.ts';
import type { Command } from './command.ts';
import { JSON_OPTION, LOAD_OPTIONS, openSource, withModel } from './model.ts';
import { STREAM_OPTIONS } from './streaming.ts';
import { table } from './words.ts';

const SHOWN = 5; // candidates for each position in the human form

/** Logits of every position of a list of ids. */
export const logits: Command = {
  name: 'logits',
  wants: ['MODEL'],
  summary: 'print the logits of every position',
  example: 'logits demo/public/models/fable-omni-8m --ids 0,397,263',
  options: {
    ids: { value: '1,2,3', help: 'token ids, separated by commas' },
    'one-by-one': { help: 'token by token through the KV cache, not all at once' },
    ...LOAD_OPTIONS,
    ...STREAM_OPTIONS,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const ids = parseIds(args.text('ids'));
    return withModel(
      () => openSource(args.place(0), args),
      args,
      terminal,
      async (engine) => {
        const values = await engine.logits(ids, args.flag('one-by-one') ? 'one-by-one' : 'at-once');
        const vocab = values.length / ids.length;
        const rows = ids.map((_, position) => values.subarray(position * vocab, (position + 1) * vocab));
        if (args.flag('json')) {
          const { model, adapter } = engine;
          const answer = { model: model?.label, adapter, ids, vocab, logits: rows.map((row) => [...row]) };
          terminal.write(`${JSON.stringify(answer)}\n`);
        } else terminal.write(overview(engine, ids, rows));
        const bad = rows.findIndex((row) => !row.every(Number.isFinite));
        if (bad >= 0)
          terminal.note(`position ${bad} has logits that are no finite numbers; check the weights`);
        return bad < 0;
      },
    );
  },
};

/** @throws {UsageError} - missing, or no ids */
export function parseIds(text: string | undefined): number[] {
  const parts = (text ?? '').split(',').map((part) => part.trim());
  if (parts.every((part) => /^\d+$/.test(part))) return parts.map(Number);
  throw new UsageError(
    `--ids is ${text === undefined ? 'missing' : `"${text}"`}; wanted token ids such as --ids 1,2,3`,
  );
}

function overview({ tokenizer }: LocalEngine, ids: readonly number[], rows: readonly Float32Array[]): string {
  const name = (id: number) => (tokenizer ? `${id} ${JSON.stringify(tokenizer.tokenText(id))}` : String(id));
  const heads = ['position', 'token', ...Array.from({ length: SHOWN }, (_, rank) => `${rank + 1}.`)];
  const lines = rows.map((row, position) => [
    String(position),
    name(ids[position] ?? 0),
    ...best(row).map((id) => `${name(id)} ${(row[id] ?? 0).toFixed(3)}`),
  ]);
  return table([heads, ...lines], ['right']);
}

/** Ids of the largest logits, the largest first, equal ones by id. */
export function best(row: Float32Array, count = SHOWN): number[] {
  return [...row.keys()].sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0) || a - b).slice(0, count);
}
