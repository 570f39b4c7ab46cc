import { AtomoeError } from '../../errors.ts';
import type { ExpertDescription, MemberDescription } from '../../models/layer/expert.ts';

/** What experts may have besides the tensors of their kind. */
export type ExpertWay = 'after' | 'alias' | 'bits' | 'weighted inputs';

type AnyExpert = ExpertDescription | MemberDescription;

const ALL: readonly ExpertWay[] = ['after', 'alias', 'bits', 'weighted inputs'];

/** Which of them each kind runs; the rest would be ignored. */
const WAYS: Readonly<Record<AnyExpert['kind'], readonly ExpertWay[]>> = {
  gated: ALL,
  plain: ALL,
  neuron: ALL,
  linear: ALL,
  selfActivated: ALL,
  lora: ['after', 'alias'], // `base` reads the input without weights
  latent: ['alias'], // `out` runs once, on the weighted sum
  constant: ['after'],
  film: [],
  compressed: [],
  attention: [],
  each: [], // its members may
  skip: [],
  identity: [],
};

/** @throws {AtomoeError} unsupported-model - an expert has what its kind does not run */
export function checkWays(expert: AnyExpert, hasWeightedInputs = false): void {
  const { kind, after, alias, bits } = expert;
  const asked: Readonly<Record<ExpertWay, boolean>> = {
    after: after !== undefined,
    alias: alias !== undefined,
    bits: bits !== undefined,
    'weighted inputs': hasWeightedInputs,
  };
  const missing = ALL.find((way) => asked[way] && !WAYS[kind].includes(way));
  if (missing) throw unsupported(`${missing} of ${kind} experts`);
  if (bits && alias) throw unsupported('bits together with alias');
  if (bits && hasWeightedInputs) throw unsupported('bits together with weighted inputs');
}

function unsupported(what: string): AtomoeError {
  return new AtomoeError('unsupported-model', `expert: ${what} has no kernel yet; describe it without`);
}
