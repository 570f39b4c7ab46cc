/**
 * Replies whose logits are changed before a token is chosen: penalties and biases of tokens (OpenAI's formulas), and texts that
 * have to have a shape (masks of a grammar, Dong and others, 2024, arXiv:2411.15100).
 */
import type { TokenMask } from '../../text/grammar/token-masks.ts';
import type { Constraints } from './constraints.ts';
import type { DecodedToken, Decoder, DecodingStrategy } from './strategy.ts';

/** @param openMask - opens the mask of the reply's text, where it has to have a shape */
export function constrained(
  constraints: Constraints,
  openMask: (() => Promise<TokenMask>) | undefined,
): DecodingStrategy {
  return {
    name: 'constrained',
    needsLogits: true,
    decode: (decoder) => decode(decoder, constraints, openMask),
  };
}

async function* decode(
  decoder: Decoder,
  constraints: Constraints,
  openMask: (() => Promise<TokenMask>) | undefined,
): AsyncGenerator<DecodedToken, void, undefined> {
  const counts = new Map<number, number>(); // of the reply's tokens
  const mask = await openMask?.();
  try {
    let prediction = decoder.first;
    for (;;) {
      const logits = Float32Array.from(prediction.logits ?? []);
      weigh(logits, constraints, counts);
      const isShaped = mask !== undefined && !decoder.isThinking;
      const opening = counts.size === 0 ? constraints.openingIds : NONE;
      if (isShaped && !keepAllowed(logits, await mask.next(), opening)) return;
      const token = decoder.choose(prediction, { logits });
      yield token;
      if (isShaped && !decoder.isThinking) mask.accept(token.id);
      counts.set(token.id, (counts.get(token.id) ?? 0) + 1);
      prediction = await decoder.state.step(token.id);
    }
  } finally {
    mask?.dispose();
  }
}

const NONE: ReadonlySet<number> = new Set();

/** logit_v + bias_v - count_v * frequencyPenalty - (count_v > 0) * presencePenalty (OpenAI's API reference). */
function weigh(
  logits: Float32Array,
  { biases, presencePenalty, frequencyPenalty }: Constraints,
  counts: ReadonlyMap<number, number>,
): void {
  for (const [id, bias] of biases) logits[id] = (logits[id] ?? 0) + bias;
  if (presencePenalty === 0 && frequencyPenalty === 0) return;
  for (const [id, count] of counts) {
    logits[id] = (logits[id] ?? 0) - count * frequencyPenalty - presencePenalty;
  }
}

/** Leaves the allowed tokens. @returns whether there are any */
function keepAllowed(logits: Float32Array, allowed: Int32Array, also: ReadonlySet<number>): boolean {
  let count = 0;
  for (let id = 0; id < logits.length; id++) {
    const isAllowed = (((allowed[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1 || also.has(id);
    if (isAllowed) count += 1;
    else logits[id] = -Infinity;
  }
  return count > 0;
}
