/** A loaded model against its golden.json: in one go and token by token. */
import type { LocalEngine } from '../engine/index.ts';
import { largestError, type Check } from './check.ts';
import type { Golden, Perplexity } from './golden.ts';
import type { Terminal } from './terminal.ts';

const LOGITS_TOLERANCE = 1e-4; // absolute, in f32
const DECIDED_MARGIN = 1e-3; // a best logit that leads by less may lose to rounding
const PERPLEXITY_TOLERANCE = 1e-3; // relative

const GREEDY = { penalty: 1, temperature: 1, candidates: false } as const;

const MODES = [
  { name: 'in one go', mode: 'at-once' },
  { name: 'token by token', mode: 'one-by-one' },
] as const;

type Mode = (typeof MODES)[number];

/** Compares a model with its known answers: logits at once and one by one, greedy text, perplexity. */
export async function verifyModel(engine: LocalEngine, golden: Golden, terminal: Terminal): Promise<Check[]> {
  const checks: Check[] = [];
  const step = async (what: string, check: () => Promise<Check>) => {
    terminal.signal.throwIfAborted();
    terminal.status(`checking ${what}`);
    checks.push(await check());
  };
  for (const mode of MODES) {
    await step(`logits ${mode.name}`, () => checkLogits(engine, golden, mode));
    const { routerIds, greedyIds } = golden;
    if (routerIds)
      await step(`router ids ${mode.name}`, () => checkRouters(engine, golden.ids, routerIds, mode));
    if (greedyIds)
      await step(`greedy ids ${mode.name}`, () => checkGreedy(engine, golden.ids, greedyIds, mode));
  }
  const { perplexity } = golden;
  if (perplexity) await step('perplexity', () => checkPerplexity(engine, perplexity, terminal));
  terminal.status('');
  return checks;
}

async function checkLogits(
  engine: LocalEngine,
  { ids, positions, logits }: Golden,
  { name, mode }: Mode,
): Promise<Check> {
  const got = await engine.logits(ids, mode);
  const vocab = got.length / ids.length;
  let error = 0;
  for (const [row, position] of positions.entries()) {
    const want = logits[row] ?? [];
    const found = want.length === vocab ? largestError(rowOf(got, position, vocab), want) : Number.NaN;
    error = Number.isNaN(found) ? found : Math.max(error, found);
  }
  const of = positions.length * vocab;
  return { name: 'logits', mode: name, error, tolerance: LOGITS_TOLERANCE, unit: 'absolute', of };
}

/** Experts of every token, as sets. In one go: the last token of each beginning of the prompt, prefilled at once. */
async function checkRouters(
  { runner }: LocalEngine,
  ids: readonly number[],
  want: readonly (readonly (readonly number[])[])[], // [layers, ids, experts]
  { name, mode }: Mode,
): Promise<Check> {
  let error = 0;
  let state = await runner.openState();
  try {
    for (const position of ids.keys()) {
      const isFresh = mode === 'at-once';
      const from = isFresh ? 0 : position;
      const request = { ids: ids.slice(from, position + 1), past: from, ...GREEDY, routes: true };
      if (isFresh) {
        state.dispose();
        state = await runner.openState();
      }
      const { routes } = await runner.step(state, request);
      error += want.filter(
        (layer, index) => !isSameSet(routes?.ids[index] ?? [], layer[position] ?? []),
      ).length;
    }
  } finally {
    state.dispose();
  }
  return { name: 'router ids', mode: name, error, tolerance: 0, unit: 'wrong', of: ids.length * want.length };
}

function isSameSet(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === new Set(a).size;
}

/** Each id that greedy decoding chose has to be the best one after those before it, wherever the margin decides. */
async function checkGreedy(
  engine: LocalEngine,
  prompt: readonly number[],
  greedy: readonly number[],
  { name, mode }: Mode,
): Promise<Check> {
  const got = await engine.logits(greedy.slice(0, -1), mode);
  const vocab = got.length / (greedy.length - 1);
  let error = 0;
  for (let position = prompt.length; position < greedy.length; position += 1) {
    const { id, margin } = bestOf(rowOf(got, position - 1, vocab));
    if (margin > DECIDED_MARGIN && id !== greedy[position]) error += 1;
  }
  return {
    name: 'greedy ids',
    mode: name,
    error,
    tolerance: 0,
    unit: 'wrong',
    of: greedy.length - prompt.length,
  };
}

function bestOf(logits: Float32Array): { id: number; margin: number } {
  let id = 0;
  let first = -Infinity;
  let second = -Infinity;
  for (const [candidate, value] of logits.entries()) {
    if (value > first) {
      second = first;
      first = value;
      id = candidate;
    } else if (value > second) second = value;
  }
  return { id, margin: first - second };
}

async function checkPerplexity(engine: LocalEngine, golden: Perplexity, terminal: Terminal): Promise<Check> {
  const { ids, window, nllPerToken } = golden;
  let nll = 0;
  let count = 0;
  for (let from = 0; from < ids.length; from += window) {
    terminal.signal.throwIfAborted();
    terminal.status(`checking perplexity: ${from} of ${ids.length} tokens`);
    const windowIds = ids.slice(from, from + window);
    const logits = await engine.logits(windowIds);
    const vocab = logits.length / windowIds.length;
    for (let position = 1; position < windowIds.length; position += 1) {
      nll -= logProbability(rowOf(logits, position - 1, vocab), windowIds[position] ?? 0);
      count += 1;
    }
  }
  const error = Math.abs(Math.exp(nll / count - nllPerToken) - 1);
  return {
    name: 'perplexity',
    mode: 'in one go',
    error,
    tolerance: PERPLEXITY_TOLERANCE,
    unit: 'relative',
    of: count,
  };
}

function logProbability(logits: Float32Array, id: number): number {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - most);
  return (logits[id] ?? Number.NaN) - most - Math.log(sum);
}

function rowOf(values: Float32Array, row: number, width: number): Float32Array {
  return values.subarray(row * width, (row + 1) * width);
}
