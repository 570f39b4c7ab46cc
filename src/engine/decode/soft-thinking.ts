/**
 * Thoughts in a space between tokens (ThinkRouter, Xu and others, 2026; Soft Thinking, Zhang and others, 2025): where the model is sure
 * enough, it reads the mixture of the likeliest tokens' embeddings in place of one token's.
 */
import { fields, numberFrom, oneOf, wholeFrom, type Table } from '../checks.ts';
import type { SoftThinkingOptions } from './options.ts';
import type { Decoder, DecodedToken, DecodingStrategy, Prediction, TokenChance } from './strategy.ts';

const TABLE: Table<SoftThinkingOptions> = {
  kind: oneOf('soft-thinking'),
  threshold: numberFrom(0, 1),
  when: oneOf('sure', 'unsure'),
  tokens: wholeFrom(1, 64), // as many as predictions without logits have
  within: oneOf('thoughts', 'reply'),
};

type Settings = Required<Omit<SoftThinkingOptions, 'kind'>>;

/** @throws {AtomoeError} bad-input - an option */
export function softThinking(given: unknown): DecodingStrategy {
  const { kind: _, ...options } = fields(TABLE)(given, 'decoding');
  const settings: Settings = { threshold: 0.5, when: 'sure', tokens: 10, within: 'thoughts', ...options };
  return { name: 'soft-thinking', decode: (decoder) => think(decoder, settings) };
}

async function* think(
  decoder: Decoder,
  { threshold, when, tokens, within }: Settings,
): AsyncGenerator<DecodedToken> {
  const { state, choose, report } = decoder;
  const isWithin = () => within === 'reply' || decoder.isThinking;
  let prediction = decoder.first;
  for (let soft = 0; ;) {
    const wasWithin = isWithin();
    const token = choose(prediction);
    report({ soft });
    yield token;
    // Markers at both ends of the thoughts stay tokens: what they say must not be blurred.
    const isSoft = wasWithin && isWithin() && isSure(prediction, threshold) === (when === 'sure');
    if (isSoft) {
      soft += 1;
      const embedding = await mixture(decoder, prediction.likeliest(tokens));
      prediction = await state.step({ id: token.id, embedding });
    } else prediction = await state.step(token.id);
  }
}

function isSure(prediction: Prediction, threshold: number): boolean {
  return Math.exp(prediction.logprob(prediction.best)) >= threshold;
}

/** sum_v p_v Emb[v] / sum_v p_v. One token, or one that has all of the probability, gives its embedding to the bit. */
export async function mixture(
  { embeddings, hidden }: Pick<Decoder, 'embeddings' | 'hidden'>,
  chances: readonly TokenChance[],
): Promise<Float32Array<ArrayBuffer>> {
  const rows = await embeddings(chances.map(({ id }) => id));
  const shares = chances.map(({ logprob }) => Math.exp(logprob));
  const whole = shares.reduce((sum, share) => sum + share, 0);
  const mixed = new Float64Array(hidden);
  for (const [row, share] of shares.entries()) {
    for (let at = 0; at < hidden; at += 1) {
      mixed[at] = (mixed[at] ?? 0) + (share / whole) * (rows[row * hidden + at] ?? 0);
    }
  }
  return Float32Array.from(mixed);
}
