/** Carves dense MLPs into experts: the neurons of an MLP are divided, and their weights stay as they are (CMoE, arXiv:2502.04416). */
import { copyTensor, type TensorToWrite } from '../../containers/safetensors-writer.ts';
import { AtomoeError } from '../../errors.ts';
import { isMoe, type DenseSpec } from '../../models/spec.ts';
import type { TensorRows } from '../../weights/tensor-rows.ts';
import { denseNames } from '../load/dense-names.ts';
import type { Drafted } from '../load/planning.ts';
import {
  carvedMoe,
  divides,
  isCarvable,
  isDense,
  wrongCarving,
  type Carving,
} from '../load/reshaped-model.ts';
import { computedTensor, floatTypeOf, withSection, type ReshapedModel } from './reshaped.ts';

/** The neurons of an MLP, divided. */
export interface Division {
  readonly shared: readonly number[]; // that every token uses
  readonly routed: readonly (readonly number[])[]; // by expert
  readonly leaders: readonly number[]; // by expert: the neuron whose activation is its score
}

/**
 * The dense MLPs of a model that can be carved, in execution order.
 *
 * @throws {AtomoeError} bad-input - numbers out of range, or experts that do not divide a width; unsupported-model - no model of plain MLPs
 */
export function carvable({ checkpoint: { label }, spec }: Drafted, carving: Carving): DenseSpec[] {
  const why = wrongCarving(carving);
  if (why !== undefined) throw new AtomoeError('bad-input', `${label}: ${why}`);
  const blocks = spec.layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block));
  const refuse = (what: string, wanted: string) =>
    new AtomoeError('unsupported-model', `${label}: ${what}; wanted ${wanted}; choose another model`);
  if (blocks.some(isMoe))
    throw refuse(`this ${spec.family} model has routed experts already`, 'a dense model');
  const dense = blocks.filter(isDense);
  if (dense.length === 0)
    throw refuse(`this ${spec.family} model has no dense MLPs`, 'a dense model of gated MLPs');
  const other = dense.find((mlp) => !isCarvable(mlp));
  if (other)
    throw refuse(
      `it has MLPs with ${other.activation}${other.gateUp.bias || other.down.bias ? ' and biases' : ''}`,
      'gated MLPs with silu, without biases',
    );
  const odd = dense.find((mlp) => !divides(carving.experts, mlp));
  if (!odd) return dense;
  throw new AtomoeError(
    'bad-input',
    `${label}: ${carving.experts} experts do not divide the ${odd.width} neurons of an MLP in fours; wanted one of ` +
      divisorsOf(odd.width / 4).join(', '),
  );
}

/** From 2 on. */
function divisorsOf(count: number): number[] {
  return Array.from({ length: Math.floor(count) }, (_, at) => at + 1).filter(
    (each) => each > 1 && count % each === 0,
  );
}

/** The division of neurons in their order, the first neuron of an expert leading it. */
export function inOrder(width: number, { experts, shared }: Carving): Division {
  const each = width / experts;
  const slice = (from: number, to: number) =>
    Array.from({ length: (to - from) * each }, (_, at) => from * each + at);
  const routed = Array.from({ length: experts - shared }, (_, e) => slice(shared + e, shared + e + 1));
  return { shared: slice(0, shared), routed, leaders: routed.map(([first = 0]) => first) };
}

/**
 * The model with experts in the place of its dense MLPs. With all experts active it computes the same sums in another order.
 *
 * @param divisions - by dense MLP
 * @throws {AtomoeError} as `carvable`
 */
export function carved(drafted: Drafted, carving: Carving, divisions: readonly Division[]): ReshapedModel {
  const { checkpoint, context, spec } = drafted;
  const { signal } = context;
  const mlps = carvable(drafted, carving);
  const gone = new Set(mlps.flatMap(({ gateUp, down }) => [...gateUp.weight, ...down.weight]).map(nameOf));
  // The matrices of an MLP are read once for all that is made of them, one MLP after the other.
  let last: { readonly bank: number; readonly read: Promise<Matrices> } | undefined;
  const made = mlps.flatMap((mlp, bank) => {
    const division = divisions[bank] ?? inOrder(mlp.width, carving);
    const { router, expert, shared } = carvedMoe(mlp, { ...carving, bank, hidden: spec.hidden });
    const read = () => {
      if (last?.bank !== bank) last = { bank, read: readMatrices(drafted, mlp) };
      return last.read;
    };
    const part = (
      tensor: string,
      matrix: (typeof MATRICES)[number],
      neurons: readonly number[],
    ): TensorToWrite => {
      const sizes = [neurons.length, spec.hidden];
      const [source] = matrix === 'down' ? mlp.down.weight : mlp.gateUp.weight;
      const dtype = floatTypeOf(checkpoint, source?.tensor ?? '');
      const shape = matrix === 'down' ? sizes.toReversed() : sizes;
      return computedTensor(tensor, { dtype, shape }, async () => sliced(await read(), matrix, neurons));
    };
    const { classifier, gate } = router.score;
    const named = [...(shared?.gateUp.weight ?? []), ...(shared?.down.weight ?? [])];
    return [
      ...named.map((rows, at) => part(nameOf(rows), MATRICES[at] ?? 'down', division.shared)),
      part(classifier, 'up', division.leaders),
      part(gate, 'gate', division.leaders),
      ...division.routed.flatMap((neurons, e) =>
        MATRICES.map((matrix) =>
          part(expert[matrix].tensor.replaceAll('{expert}', String(e)), matrix, neurons),
        ),
      ),
    ];
  });
  const kept = [...denseNames(drafted)].filter((name) => !gone.has(name));
  const { quantization_config: _, ...plain } = checkpoint.config;
  return {
    config: withSection(plain, 'carved', { ...carving }),
    tensors: [...kept.map((name) => copyTensor(checkpoint, name, { signal })), ...made],
  };
}

const MATRICES = ['gate', 'up', 'down'] as const;

/** The matrices of an MLP: gate and up [width, hidden], down [hidden, width]. */
type Matrices = Readonly<Record<(typeof MATRICES)[number], Float32Array<ArrayBuffer>>> & {
  readonly width: number;
};

function nameOf({ tensor }: TensorRows): string {
  return tensor;
}

async function readMatrices(
  { checkpoint, context: { signal } }: Drafted,
  { width, gateUp, down }: DenseSpec,
): Promise<Matrices> {
  const read = async (parts: readonly TensorRows[]) => {
    const all = await Promise.all(
      parts.map(({ tensor, rowStart = 0, rowCount }) =>
        checkpoint.readF32(tensor, { signal, rowStart, ...(rowCount === undefined ? {} : { rowCount }) }),
      ),
    );
    const whole = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const values of all) {
      whole.set(values, at);
      at += values.length;
    }
    return whole;
  };
  const both = await read(gateUp.weight);
  const half = both.length / 2;
  return { width, gate: both.slice(0, half), up: both.slice(half), down: await read(down.weight) };
}

/** The rows, or of `down` the columns, of some neurons. */
function sliced(
  { width, ...matrices }: Matrices,
  matrix: (typeof MATRICES)[number],
  neurons: readonly number[],
): Float32Array<ArrayBuffer> {
  const values = matrices[matrix];
  const hidden = values.length / width;
  const made = new Float32Array(neurons.length * hidden);
  for (const [at, neuron] of neurons.entries()) {
    if (matrix !== 'down') made.set(values.subarray(neuron * hidden, (neuron + 1) * hidden), at * hidden);
    else
      for (let row = 0; row < hidden; row += 1)
        made[row * neurons.length + at] = values[row * width + neuron] ?? NaN;
  }
  return made;
}
