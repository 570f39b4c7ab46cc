/** Strategies of decoding on the trained models: tokens per second beside plain greedy replies, in turns. */
import type { DecodingOption, GenerateOptions } from '../../src/engine/api.ts';
import { LocalEngine } from '../../src/engine/engine.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { digits, say, table, withNoise, type PartResult } from '../report.ts';
import { measured } from '../stats.ts';

const MODELS = ['fable-moe-12m', 'fable-omni-8m'] as const;
const PROMPT = 'Once upon a time, there was a little fox who lived in the woods.';
const ROUNDS = 5;
const TOKENS = 64;

/** A reply that is timed. */
interface Case {
  readonly name: string;
  readonly isAgain?: true; // the prompt has a reply before, and begins it again
  readonly options: GenerateOptions;
}

const decoding = (options: DecodingOption): GenerateOptions => ({ decoding: options });

const CASES: readonly Case[] = [
  { name: 'plain greedy', options: {} },
  { name: '`ngram`', options: decoding('ngram') },
  { name: '`contrast`, weak: second expert', options: decoding('contrast') },
  { name: '`soft-thinking`, in the reply', options: decoding({ kind: 'soft-thinking', within: 'reply' }) },
  { name: '`rewire`', options: decoding('rewire') },
  {
    name: '`consistency`, 5 samples at 0.8',
    options: { temperature: 0.8, ...decoding('consistency') },
  },
  { name: 'plain greedy, told again', isAgain: true, options: {} },
  { name: '`ngram`, told again', isAgain: true, options: decoding('ngram') },
];

interface Reply {
  readonly perSecond: number;
  readonly text: string;
  readonly report: Readonly<Record<string, unknown>>;
}

async function reply(engine: LocalEngine, prompt: string, options: GenerateOptions): Promise<Reply> {
  const session = engine.session();
  const startedMs = performance.now();
  let text = '';
  let tokens = 0;
  let report: Reply['report'] = {};
  try {
    for await (const event of session.generate(prompt, { temperature: 0, maxTokens: TOKENS, ...options })) {
      if (event.kind === 'token') {
        text += event.text;
        tokens += 1;
      }
      if (event.kind === 'done') report = { ...event.decoding };
    }
  } finally {
    session.dispose();
  }
  return { perSecond: (1000 * tokens) / (performance.now() - startedMs), text, report };
}

/** Runs every strategy in turns. */
export async function decodingStudy(): Promise<PartResult> {
  const results: Record<string, unknown> = {};
  const rows: string[][] = [];
  for (const model of MODELS) {
    const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
    await engine.load(await nodeFolder(`demo/public/models/${model}`));
    const { text } = await reply(engine, PROMPT, {});
    const again = `${PROMPT}${text} ${PROMPT}`;
    const rates = new Map<string, number[]>();
    const reports: Record<string, unknown> = {};
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const { name, isAgain, options } of CASES) {
        if (reports[name] === null) continue;
        try {
          const { perSecond, report } = await reply(engine, isAgain ? again : PROMPT, options);
          reports[name] = report;
          if (round > 0) rates.set(name, [...(rates.get(name) ?? []), perSecond]);
        } catch (error) {
          say(`${model}, ${name}: ${String(error)}`);
          reports[name] = null; // where no router takes hooks
        }
      }
    }
    engine.dispose();
    for (const { name, isAgain } of CASES) {
      const own = rates.get(name);
      const plain = rates.get(isAgain ? 'plain greedy, told again' : 'plain greedy') ?? [];
      const ratios = (own ?? []).map((rate, round) => rate / (plain[round] ?? NaN));
      const row = own
        ? [withNoise(measured(own)), measured(ratios).median.toFixed(2), notesOf(reports[name])]
        : ['refused: no hooks', '', ''];
      rows.push([model, name, ...row]);
      results[`${model}, ${name}`] = { perSecond: own ?? null, ratios, report: reports[name] };
      say(`${model}, ${name}: ${row.join(', ')}`);
    }
  }
  const markdown =
    `**Strategies of decoding** ([DECODING.md](../docs/DECODING.md)) with their defaults: replies of ${TOKENS} tokens to a short prompt, one thread of WebAssembly, ` +
    `median of ${ROUNDS} rounds; tokens per second that are told, and the ratio to a plain greedy reply to the same prompt. “Told again”: the prompt is a story of the ` +
    'model and its beginning again, so that the reply repeats the story. Drafts are counted in tokens; in WebAssembly a step of many tokens costs nearly as much as as many steps, so that a draft has to be right to pay, while ' +
    'on GPUs the number of steps counts.\n\n' +
    table(['model', 'strategy', 'tokens/s', 'of plain', 'what it reports'], rows);
  return { markdown, results };
}

/** The figures of a strategy, and of drafts the share that was right. */
function notesOf(report: unknown): string {
  const { drafted, accepted, steps, soft, updates, kept, scored, votes, samples } = report as Record<
    string,
    number | undefined
  >;
  if (drafted !== undefined && accepted !== undefined) {
    const share = drafted > 0 ? ` (${digits((100 * accepted) / drafted)} %)` : '';
    return `${steps} steps; ${accepted} of ${drafted} drafted accepted${share}`;
  }
  if (soft !== undefined) return `${soft} mixtures`;
  if (updates !== undefined) return `${updates} searches, ${scored} passes, ${kept} steps kept`;
  return votes === undefined ? '' : `${votes} of ${samples} votes`;
}
