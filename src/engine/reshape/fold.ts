/** Folds the experts of each layer into one dense MLP. */
import { copyTensor, type TensorToWrite } from '../../containers/safetensors-writer.ts';
import { AtomoeError, invariant } from '../../errors.ts';
import type { ExpertUse } from '../../experts/study/saliency.ts';
import type { LinearSpec, MoeSpec, SharedSpec } from '../../models/spec.ts';
import { unpackRecord } from '../../weights/record.ts';
import { denseNames } from '../load/dense-names.ts';
import type { Drafted } from '../load/planning.ts';
import { foldedMlp, isFoldable, type FoldableExpertSpec } from '../load/reshaped-model.ts';
import { changeable, computedTensor, floatTypeOf, type ReshapedModel } from './reshaped.ts';

/** How experts are added up. */
export interface FoldOptions {
  /** By layer with experts, how often each expert was used: their shares. Default: all alike. */
  readonly use?: readonly ExpertUse[];
  readonly shared: number; // share of the shared expert, 0 to 1, where there is one
}

/**
 * The model with one dense MLP in the place of each layer's experts, W = shared W_shared + (1 - shared) sum_i c_i W_i, sum c_i = 1 (XFT,
 * arXiv:2404.15247, whose softmax(a) are the c_i). Where a router makes the weights of a token sum to a constant, `down` has that factor.
 *
 * @throws {AtomoeError} bad-input - an option out of range, or a use of other experts; as `changeable`; unsupported-model - experts or
 *   shared experts that are no gated MLPs of one width
 */
export function folded(drafted: Drafted, { use, shared }: FoldOptions): ReshapedModel {
  const { checkpoint, context } = drafted;
  const { experts, moes } = changeable(drafted);
  const { label, config } = checkpoint;
  if (!(shared >= 0 && shared <= 1))
    throw new AtomoeError(
      'bad-input',
      `the share of the shared expert is ${shared}; wanted a number from 0 to 1`,
    );
  if (use && (use.length !== moes.length || use.some(({ uses }) => uses.length !== experts))) {
    throw new AtomoeError(
      'bad-input',
      `${label} has ${moes.length} layers of ${experts} experts; wanted a trace of this model`,
    );
  }
  const gone = new Set<string>(); // tensors of routers and shared experts
  let last: { readonly bank: number; readonly made: Promise<Matrices> } | undefined;
  const matricesOf = (bank: number, moe: FoldableMoe) => {
    if (last?.bank !== bank)
      last = {
        bank,
        made: foldLayer(drafted, bank, moe, { shares: sharesOf(use?.[bank], experts), shared }),
      };
    return last.made;
  };
  const made = moes.flatMap((moe, bank) => {
    const foldable = checkFoldable(moe, label);
    for (const name of namesIn([moe.router, moe.shared])) gone.add(name);
    const { gateUp, down } = foldedMlp(foldable.expert, bank, drafted.spec.hidden);
    return [...gateUp.weight, ...down.weight].map(({ tensor, shape = [] }, index): TensorToWrite => {
      const matrix = (['gate', 'up', 'down'] as const)[index] ?? 'down';
      const dtype = floatTypeOf(checkpoint, foldable.expert[matrix].tensor.replaceAll('{expert}', '0'));
      return computedTensor(tensor, { dtype, shape }, async () => (await matricesOf(bank, foldable))[matrix]);
    });
  });
  const { signal } = context;
  const kept = [...denseNames(drafted)].filter((name) => !gone.has(name));
  const { quantization_config: _, ...plain } = config;
  return {
    config: { ...plain, atomoe: { folded: true } },
    tensors: [...kept.map((name) => copyTensor(checkpoint, name, { signal })), ...made],
  };
}

type Matrices = Readonly<Record<'gate' | 'up' | 'down', Float32Array<ArrayBuffer>>>;

interface FoldableMoe {
  readonly expert: FoldableExpertSpec;
  readonly shared: SharedSpec | undefined;
  readonly factor: number; // sum of the weights of a token, where it is constant
}

/** @throws {AtomoeError} unsupported-model */
function checkFoldable({ expert, shared, post, router }: MoeSpec, label: string): FoldableMoe {
  const refuse = (what: string, wanted: string) =>
    new AtomoeError(
      'unsupported-model',
      `${label}: ${what}, which no dense MLP is; wanted ${wanted}; choose another model`,
    );
  if (!isFoldable(expert))
    throw refuse(
      `the experts are of the kind "${expert.kind}", or have biases or clamps`,
      'plain gated experts',
    );
  if (router.score.kind === 'analytic') throw refuse('it was carved of a dense model', 'the dense model');
  if (post !== undefined || shared?.post !== undefined)
    throw refuse('the outputs of experts are normalised', 'plain outputs');
  if (router.weigh?.on === 'input') throw refuse('the inputs of experts are weighted', 'weighted outputs');
  if (router.weigh?.factors !== undefined) throw refuse('the experts have factors', 'experts without');
  if (shared && (shared.width !== expert.width || shared.activation !== expert.activation)) {
    throw refuse(
      `the shared expert has width ${shared.width} and ${shared.activation}, the others ${expert.width} and ${expert.activation}`,
      'MLPs of one width',
    );
  }
  if (shared?.norm !== undefined || shared?.gateUp.bias || shared?.down.bias)
    throw refuse('the shared expert has a norm or biases of its own', 'a shared expert like the others');
  const { normalise = 'none', scale = 1 } = router.weigh ?? {};
  return { expert, shared, factor: ['sum', 'softmax'].includes(normalise) ? scale : 1 };
}

/** Shares of experts, whose sum is 1. */
function sharesOf(use: ExpertUse | undefined, experts: number): Float64Array {
  const uses = use?.uses ?? new Float64Array(experts);
  const sum = uses.reduce((total, count) => total + count, 0);
  return uses.map((count) => (sum === 0 ? 1 / experts : count / sum));
}

/** The matrices of a layer's MLP. */
async function foldLayer(
  drafted: Drafted,
  bank: number,
  { shared: sharedSpec, factor }: FoldableMoe,
  { shares, shared }: { readonly shares: Float64Array; readonly shared: number },
): Promise<Matrices> {
  const { experts, checkpoint, context } = drafted;
  invariant(experts, () => 'a model with experts');
  const { signal } = context;
  const routed = sharedSpec ? 1 - shared : 1;
  const sums: Record<string, Float64Array> = {};
  const add = (name: string, values: Float32Array, share: number) => {
    const sum = (sums[name] ??= new Float64Array(values.length));
    values.forEach((value, at) => (sum[at] = (sum[at] ?? 0) + share * value));
  };
  for (const [expert, share] of shares.entries()) {
    const parts = unpackRecord(experts.layout(bank), await experts.read(bank, expert, signal));
    for (const [name, values] of Object.entries(parts))
      add(name, values, routed * share * (name === 'down' ? factor : 1));
  }
  if (sharedSpec) {
    const { gateUp, down } = sharedSpec;
    const read = async (linear: LinearSpec) => {
      const rows = await Promise.all(
        linear.weight.map(({ tensor, rowStart = 0, rowCount }) =>
          checkpoint.readF32(tensor, { signal, rowStart, ...(rowCount === undefined ? {} : { rowCount }) }),
        ),
      );
      return Float32Array.from(rows.flatMap((each) => [...each]));
    };
    const both = await read(gateUp);
    add('gate', both.subarray(0, both.length / 2), shared);
    add('up', both.subarray(both.length / 2), shared);
    add('down', await read(down), shared);
  }
  const { gate, up, down } = sums;
  invariant(gate && up && down, () => 'gated experts');
  return { gate: Float32Array.from(gate), up: Float32Array.from(up), down: Float32Array.from(down) };
}

/** Every text in a value, among them the names of tensors. */
function namesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(namesIn);
}
