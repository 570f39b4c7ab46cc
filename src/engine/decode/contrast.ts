/**
 * Self-contrast (SCMoE, Shi and others, 2024): what a model says with its experts, less what it says with weaker ones. The weak model
 * is the same one with other hooks, and reads the same tokens in a state of its own.
 */
import { AtomoeError } from '../../errors.ts';
import { fields, numberFrom, oneOf, plainObject, type Check, type Table } from '../checks.ts';
import type { RoutingHooks } from '../routing-hooks.ts';
import type { ContrastOptions } from './options.ts';
import type { Decoder, DecodedToken, DecodingState, DecodingStrategy } from './strategy.ts';

const TABLE: Table<ContrastOptions> = {
  kind: oneOf('contrast'),
  weak: plainObject as Check<RoutingHooks>, // checked where the layers are known
  beta: numberFrom(0, 100),
  alpha: numberFrom(0, 1),
  strongTemperature: numberFrom(0.01, 100),
  weakTemperature: numberFrom(0.01, 100),
};

/** One expert of each token: the third best, as the paper's code has it. */
const THIRD_BEST: RoutingHooks = { all: { ranks: [2] } };

/** How two models are contrasted. */
export interface Contrast {
  readonly beta: number;
  readonly alpha: number;
  readonly strongTemperature: number;
  readonly weakTemperature: number;
}

/** @throws {AtomoeError} bad-input - an option */
export function contrast(given: unknown): DecodingStrategy {
  const options = fields(TABLE)(given, 'decoding');
  const { weak = THIRD_BEST, beta = 0.5, alpha = 0.1 } = options;
  const { strongTemperature = 1, weakTemperature = 1 } = options;
  const rule = { beta, alpha, strongTemperature, weakTemperature };
  return { name: 'contrast', needsLogits: true, decode: (decoder) => contrastWith(decoder, weak, rule) };
}

async function* contrastWith(
  { state, first, prompt, open, choose }: Decoder,
  hooks: RoutingHooks,
  rule: Contrast,
): AsyncGenerator<DecodedToken> {
  const weak = await open();
  await hookWeak(weak, hooks);
  let said = first;
  let weakSaid = await weak.step(prompt);
  for (;;) {
    const token = choose(said, { logits: contrasted(said.logits ?? NONE, weakSaid.logits ?? NONE, rule) });
    yield token;
    said = await state.step(token.id);
    weakSaid = await weak.step(token.id);
  }
}

const NONE = new Float32Array(0);

/** z = (1 + beta) z_s / T_s - beta z_w / T_w, of the tokens with z_s >= max z_s + ln alpha; the others must not come. */
export function contrasted(
  strong: Float32Array,
  weak: Float32Array,
  { beta, alpha, strongTemperature, weakTemperature }: Contrast,
): Float32Array {
  const least = strong.reduce((most, logit) => Math.max(most, logit), -Infinity) + Math.log(alpha);
  return strong.map((logit, id) =>
    logit >= least
      ? ((1 + beta) * logit) / strongTemperature - (beta * (weak[id] ?? 0)) / weakTemperature
      : -Infinity,
  );
}

/** Errors name the path of the option; hooks of a request have another. */
async function hookWeak(state: DecodingState, hooks: RoutingHooks): Promise<void> {
  try {
    await state.hook(hooks);
  } catch (error) {
    if (!(error instanceof AtomoeError && error.message.startsWith('hooks'))) throw error;
    throw new AtomoeError(error.code, error.message.replace('hooks', 'decoding.weak'), { cause: error });
  }
}
