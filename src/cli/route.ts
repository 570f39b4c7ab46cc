import type { GenerateEvent, TokenRoutes } from '../engine/api.ts';
import type { LocalEngine } from '../engine/index.ts';
import type { Command } from './command.ts';
import { loadOptions } from './load-flags.ts';
import { JSON_OPTION, LOAD_OPTIONS, openEngine, openSource } from './model.ts';
import { readJson } from './files.ts';
import { STREAM_OPTIONS } from './streaming.ts';
import { table } from './words.ts';

const MOST_TOKENS = 32;

/** What a router did over a reply. */
interface Tried {
  readonly text: string;
  readonly layers: readonly {
    readonly expertsPerToken: number;
    readonly distinct: number; // experts that some token used
    readonly topShare: number; // of the most used expert, of all uses
  }[];
}

/** Tries a described router on a model, beside the model's own. */
export const route: Command = {
  name: 'route',
  wants: ['RULE', 'MODEL', 'PROMPT'],
  summary: "try a described router in the place of a model's own",
  example: 'route rule.json demo/public/models/fable-moe-12m "Once upon a time"',
  options: {
    'max-tokens': { value: 'N', help: `length of the replies (default ${MOST_TOKENS})` },
    ...LOAD_OPTIONS,
    ...STREAM_OPTIONS,
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const routing = readJson(args.place(0), 'description');
    const options = loadOptions(args);
    const maxTokens = args.number('max-tokens') ?? MOST_TOKENS;
    const engine = await openEngine(args);
    try {
      const tried: Tried[] = [];
      for (const own of [{}, { routing }]) {
        await engine.load(await openSource(args.place(1), args), {
          ...options,
          ...own,
          signal: terminal.signal,
        });
        tried.push(await tryOut(engine, args.positional(2), maxTokens, terminal.signal));
      }
      const [before, after] = tried;
      if (args.flag('json')) terminal.write(`${JSON.stringify({ own: before, rule: after })}\n`);
      else if (before && after) terminal.write(report(before, after));
      return true;
    } finally {
      engine.dispose();
    }
  },
};

async function tryOut(
  engine: LocalEngine,
  prompt: string,
  maxTokens: number,
  signal: AbortSignal,
): Promise<Tried> {
  const session = engine.session();
  const routes: TokenRoutes[] = [];
  let done: Extract<GenerateEvent, { kind: 'done' }> | undefined;
  for await (const event of session.generate(prompt, { maxTokens, temperature: 0, routes: true, signal })) {
    if (event.kind === 'token' && event.routes) routes.push(event.routes);
    if (event.kind === 'done') done = event;
  }
  session.dispose();
  const layers = (routes[0]?.ids ?? []).map((_, layer) => usesOf(routes.map(({ ids }) => ids[layer] ?? [])));
  return { text: done?.text ?? '', layers };
}

function usesOf(tokens: readonly (readonly number[])[]): Tried['layers'][number] {
  const counts = new Map<number, number>();
  for (const id of tokens.flat()) counts.set(id, (counts.get(id) ?? 0) + 1);
  const uses = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return {
    expertsPerToken: uses / tokens.length,
    distinct: counts.size,
    topShare: uses === 0 ? 0 : Math.max(...counts.values()) / uses,
  };
}

function report(own: Tried, rule: Tried): string {
  const cells = ({ expertsPerToken, distinct, topShare }: Tried['layers'][number]) => [
    expertsPerToken.toFixed(2),
    String(distinct),
    `${(100 * topShare).toFixed(0)} %`,
  ];
  const rows = own.layers.map((layer, index) => {
    const other = rule.layers[index];
    return [String(index), ...cells(layer), ...(other ? cells(other) : [])];
  });
  const heads = ['layer', 'experts/token', 'used', 'top', 'with the rule', 'used', 'top'];
  return `own:  ${own.text.trim()}\n\nrule: ${rule.text.trim()}\n\n${table([heads, ...rows])}\n`;
}
