/** Texts and token ids without a reply: loaded when they are first asked for. */
import { AtomoeError } from '../../errors.ts';
import { tokenBytes } from '../../text/token-bytes.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { GenerateOptions, Prompt, TokenLogprob } from '../api.ts';
import { abortSignal, fields } from '../checks.ts';
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

/** The log-probabilities of a text's tokens behind a prompt (`Engine.score`). */
export async function score(
  means: TextMeans,
  prompt: Prompt,
  text: string,
  given: { signal?: AbortSignal } = {},
): Promise<TokenLogprob[]> {
  const { tokenizer, runner, queue, vocab } = means;
  const { signal } = fields<{ signal: AbortSignal }>({ signal: abortSignal })(given, 'the options of score');
  const before = await tokenize(means, prompt);
  const scored = typeof text === 'string' ? tokenizer.encode(text, { addSpecialTokens: false }) : [];
  if (before.length === 0 || scored.length === 0) {
    const empty = before.length === 0 ? 'the prompt' : 'the text';
    throw new AtomoeError('bad-input', `${empty} of score has no tokens; wanted at least one; give text`);
  }
  const ids = [...before, ...scored];
  checkIds(ids, vocab, runner.contextTokens);
  const logprobs = await queue.run(() => logprobsOf(means, ids, before.length, signal));
  return scored.map((id, at) => ({
    id,
    logprob: logprobs[at] ?? NaN,
    text: tokenizer.tokenText(id),
    bytes: tokenBytes(tokenizer, id),
  }));
}

/** ln p(id_t given those before it), for t from `first` on. */
async function logprobsOf(
  { runner, vocab }: TextMeans,
  ids: readonly number[],
  first: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const plain = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const state = await runner.openState();
  try {
    let past = 0;
    for (; past < first - 1; past += Math.min(runner.chunkTokens, first - 1 - past)) {
      signal?.throwIfAborted();
      const chunk = ids.slice(past, Math.min(past + runner.chunkTokens, first - 1));
      await runner.prefill(state, { ...plain, ids: chunk, past }, signal);
    }
    const logprobs: number[] = [];
    while (past < ids.length - 1) {
      signal?.throwIfAborted();
      const chunk = ids.slice(past, Math.min(past + SCORED_TOKENS, ids.length - 1));
      const logits = await runner.allLogits(state, { ...plain, ids: chunk, past }, signal);
      chunk.forEach((_, row) => {
        logprobs.push(logprobOf(logits.subarray(row * vocab, (row + 1) * vocab), ids[past + row + 1] ?? 0));
      });
      past += chunk.length;
    }
    return logprobs;
  } finally {
    state.dispose();
  }
}

/** log softmax(logits)_id, summed in f64. @throws {AtomoeError} non-finite */
function logprobOf(logits: Float32Array, id: number): number {
  const most = logits.reduce((best, logit) => Math.max(best, logit), -Infinity);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  const logprob = (logits[id] ?? NaN) - most - Math.log(sum);
  if (Number.isFinite(logprob)) return logprob;
  throw new AtomoeError(
    'non-finite',
    'a logit is no finite number; the file may be damaged; download it again',
  );
}
