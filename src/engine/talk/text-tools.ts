/** Texts and token ids without a reply: loaded when they are first asked for. */
import { AtomoeError } from '../../errors.ts';
import { tokenBytes } from '../../text/token-bytes.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type {
  GenerateOptions,
  Prompt,
  ScoredToken,
  ScoreOptions,
  TokenChance,
  TokenLogprob,
} from '../api.ts';
import { fields } from '../checks.ts';
import { GENERATE } from '../options.ts';
import type { JobQueue } from '../run/queue.ts';
import type { Runner } from '../run/runner.ts';
import { encodePrompt } from './encode-prompt.ts';
import { readPrompt } from './messages.ts';
import { checkIds, readIds } from './token-ids.ts';

/** What texts are looked at with. */
export interface TextMeans {
  readonly tokenizer: Tokenizer;
  readonly runner: Runner;
  readonly queue: JobQueue;
  readonly vocab: number;
  readonly isGone: () => boolean; // another model has come
}

type PromptOptions = Pick<GenerateOptions, 'tools' | 'templateOptions' | 'continueFinalMessage'>;

const OPTIONS = {
  tools: GENERATE.tools,
  templateOptions: GENERATE.templateOptions,
  continueFinalMessage: GENERATE.continueFinalMessage,
};

/** The token ids of a prompt (`Engine.tokenize`). */
export async function tokenize(
  { tokenizer }: TextMeans,
  prompt: Prompt,
  given: PromptOptions = {},
): Promise<number[]> {
  const {
    tools = [],
    templateOptions = {},
    continueFinalMessage = false,
  } = fields<PromptOptions>(OPTIONS)(given, 'the options of tokenize');
  const encoded = await encodePrompt(
    readPrompt(prompt),
    { tools, templateOptions, continueFinalMessage, stop: [] },
    tokenizer,
  );
  return [...encoded.ids];
}

/** The text of token ids (`Engine.detokenize`). */
export function detokenize({ tokenizer, vocab }: TextMeans, given: unknown): string {
  if (Array.isArray(given) && given.length === 0) return '';
  return tokenizer.decode(readIds(given, vocab, Infinity), { skipSpecialTokens: false });
}

/** Tokens whose logits are in memory at a time. */
const SCORED_TOKENS = 32;

const SCORE_OPTIONS = { logprobs: GENERATE.logprobs, signal: GENERATE.signal };

/** The log-probabilities of a text's tokens behind a prompt (`Engine.score`). */
export async function score(
  means: TextMeans,
  prompt: Prompt,
  text: string | readonly number[],
  given: ScoreOptions = {},
): Promise<ScoredToken[]> {
  const { tokenizer, runner, vocab } = means;
  const options = fields<ScoreOptions>(SCORE_OPTIONS)(given, 'the options of score');
  const before = await tokenize(means, prompt);
  const scored = idsOf(text, tokenizer);
  if (before.length === 0 || scored.length === 0) {
    const empty = before.length === 0 ? 'the prompt' : 'the text';
    throw new AtomoeError('bad-input', `${empty} of score has no tokens; wanted at least one; give text`);
  }
  const ids = [...before, ...scored];
  checkIds(ids, vocab, runner.contextTokens);
  const chances = await chancesOf(means, ids, before.length, options);
  const named = ({ id, logprob }: TokenChance): TokenLogprob => ({
    id,
    logprob,
    text: tokenizer.tokenText(id),
    bytes: tokenBytes(tokenizer, id),
  });
  return chances.map(({ chance, alternatives }) => ({
    ...named(chance),
    ...(alternatives ? { alternatives: alternatives.map(named) } : {}),
  }));
}

function idsOf(text: unknown, tokenizer: Tokenizer): readonly number[] {
  if (typeof text === 'string') return tokenizer.encode(text, { addSpecialTokens: false });
  return Array.isArray(text) ? (text as number[]) : [];
}

/** A token among all that may come in its place. */
interface Chances {
  readonly chance: TokenChance;
  readonly alternatives?: readonly TokenChance[]; // the likeliest first
}

/** ln p(id_t given those before it), for t from `first` on. Takes turns with replies, chunk by chunk. */
async function chancesOf(
  { runner, queue, vocab, isGone }: TextMeans,
  ids: readonly number[],
  first: number,
  { logprobs: count, signal }: ScoreOptions,
): Promise<Chances[]> {
  const plain = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const turn = <T>(step: () => Promise<T>) =>
    queue.run(async () => {
      signal?.throwIfAborted();
      if (isGone()) throw modelGone();
      return step();
    });
  const state = await turn(async () => runner.openState());
  try {
    let past = 0;
    for (; past < first - 1; past += Math.min(runner.chunkTokens, first - 1 - past)) {
      const chunk = ids.slice(past, Math.min(past + runner.chunkTokens, first - 1));
      await turn(() => runner.prefill(state, { ...plain, ids: chunk, past }, signal));
    }
    const chances: Chances[] = [];
    while (past < ids.length - 1) {
      const chunk = ids.slice(past, Math.min(past + SCORED_TOKENS, ids.length - 1));
      const logits = await turn(() => runner.allLogits(state, { ...plain, ids: chunk, past }, signal));
      chunk.forEach((_, row) => {
        const own = logits.subarray(row * vocab, (row + 1) * vocab);
        chances.push(chancesIn(own, ids[past + row + 1] ?? 0, count));
      });
      past += chunk.length;
    }
    return chances;
  } finally {
    state.dispose();
  }
}

function modelGone(): AtomoeError {
  return new AtomoeError('disposed', 'the model was replaced while a text was scored; score it again');
}

/** log softmax(logits), summed in f64, of a token and of the `count` likeliest. @throws {AtomoeError} non-finite */
function chancesIn(logits: Float32Array, id: number, count: number | undefined): Chances {
  const most = logits.reduce((best, logit) => Math.max(best, logit), -Infinity);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  const chanceOf = (each: number) => ({
    id: each,
    logprob: (logits[each] ?? NaN) - most - Math.log(sum),
  });
  const chance = chanceOf(id);
  if (Number.isFinite(chance.logprob)) {
    return count === undefined
      ? { chance }
      : { chance, alternatives: likeliest(logits, count).map(chanceOf) };
  }
  throw new AtomoeError(
    'non-finite',
    'a logit is no finite number; the file may be damaged; download it again',
  );
}

/** The ids of the largest logits, the largest first, and of equals the lower id. */
function likeliest(logits: Float32Array, count: number): number[] {
  const found: number[] = [];
  logits.forEach((logit, id) => {
    if (found.length === count && !(logit > (logits[found.at(-1) ?? 0] ?? Infinity))) return;
    const at = found.findIndex((each) => logit > (logits[each] ?? 0));
    found.splice(at < 0 ? found.length : at, 0, id);
    if (found.length > count) found.pop();
  });
  return found;
}
