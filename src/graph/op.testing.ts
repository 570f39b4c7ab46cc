/** One harness for every op: random inputs, poisoned outputs, the GPU against the op's own reference. */
import { invariant } from '../errors.ts';
import { slice, type Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import { expectClose, randomNormal, UNWRITTEN } from '../kernels/testing.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { boundBytes, decodeMatrix, encodeMatrix, matrixLayout } from '../weights/matrix.ts';
import { GraphBuilder } from './builder.ts';
import { runOnCpu } from './cpu.ts';
import type { CpuExpertWeights, ExpertWeights } from './experts.ts';
import type { HostArray, Node, Step } from './node.ts';
import type { MakeNode } from './op.ts';
import { Plan, wholeWeight, type GpuWeight } from './plan.ts';
import { elementCount, type Tensor, type Weight } from './tensor.ts';

export interface OpCase<Io extends object> {
  readonly make: MakeNode<Io>;
  /** Creates the op's tensors and weights: inputs or states that it reads, outputs that it only writes. */
  readonly io: (builder: GraphBuilder) => Io;
  /** Steps, run in order with the same states. */
  readonly steps: readonly Step[];
  readonly maxTokens?: number; // default: those of the longest step
  readonly contextTokens?: number; // default: past + tokens of the longest step
  /** Values by the name of a tensor or weight; default: normally distributed. Required for u32 tensors. */
  readonly values?: Readonly<Record<string, (count: number) => HostArray>>;
  readonly format?: FormatName; // of weights that are not exact; default 'f32'
  readonly mostMultiplyAdds?: number; // divides dispatches, like those of large models
  readonly experts?: { readonly gpu: ExpertWeights; readonly cpu: CpuExpertWeights };
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
  /** Comparisons other than element by element, by the name of a tensor. */
  readonly compare?: Readonly<Record<string, (got: HostArray, want: HostArray) => void>>;
}

/** @throws if a tensor that the op writes was not written, or differs from the reference */
export async function expectOp<Io extends object>(gpu: Gpu, given: OpCase<Io>): Promise<void> {
  const builder = new GraphBuilder();
  const node = given.make('op', given.io(builder));
  builder.add(node);
  const graph = builder.buildPart();
  const maxTokens = given.maxTokens ?? Math.max(...given.steps.map(({ tokens }) => tokens));
  const contextTokens =
    given.contextTokens ?? Math.max(...given.steps.map(({ past, tokens }) => past + tokens));
  const held: { dispose(): void }[] = [];
  try {
    const weights = uploadWeights(gpu, node, given, held);
    const { mostMultiplyAdds } = given;
    const plan = await Plan.open(
      gpu,
      graph,
      { weight: (weight) => found(weights, weight).gpu, experts: given.experts?.gpu },
      {
        label: node.op,
        maxTokens,
        contextTokens,
        scalar: 'f32',
        tuning: new Map(),
        ...(mostMultiplyAdds === undefined ? {} : { mostMultiplyAdds }),
      },
    );
    held.push(plan);
    const cpu = {
      weight: (weight: Weight) => found(weights, weight).values,
      experts: given.experts?.cpu,
      contextTokens,
    };
    const states = openStates(gpu, node, given, held);
    const instance = plan.instance(states.gpu);
    for (const step of given.steps) {
      const inputs = writeInputs(gpu, plan, node, given, step);
      instance.run(step);
      const get = runOnCpu(graph, cpu, states.cpu, step, inputs);
      for (const tensor of node.writes) {
        const buffer = states.gpu.get(tensor.name) ?? plan.buffer(tensor);
        const got = typed(tensor, await gpu.read(buffer), elementCount(tensor, step.tokens));
        compare(tensor, got, get(tensor), given);
      }
    }
  } finally {
    for (const each of held.reverse()) each.dispose();
  }
}

interface TestWeight {
  readonly gpu: GpuWeight;
  readonly values: Float32Array; // as the kernels decode them
}

function uploadWeights(
  gpu: Gpu,
  { reads }: Node,
  { values, format = 'f32' }: Pick<OpCase<object>, 'values' | 'format'>,
  held: { dispose(): void }[],
): Map<Weight, TestWeight> {
  const weights = new Map<Weight, TestWeight>();
  for (const [index, weight] of reads.entries()) {
    if (weight.kind !== 'weight') continue;
    const { name, rows, cols, exact, source } = weight;
    const own = exact ? 'f32' : format;
    const made =
      source.kind === 'computed'
        ? source.values()
        : Float32Array.from(values?.[name]?.(rows * cols) ?? randomNormal(rows * cols, 100 + index, 0.3));
    const bytes = encodeMatrix('F32', new Uint8Array(made.buffer), own, rows, cols);
    const sizeBytes = boundBytes(bytes.byteLength);
    const buffer = gpu.createBuffer({ label: name, sizeBytes, kind: 'weights' });
    held.push(buffer);
    gpu.write(buffer, 0, bytes);
    const { scalesOffsetBytes } = matrixLayout(own, rows, cols);
    weights.set(weight, {
      gpu: wholeWeight(slice(buffer), weight, own, scalesOffsetBytes),
      values: decodeMatrix(own, bytes, rows, cols),
    });
  }
  return weights;
}

function openStates(
  gpu: Gpu,
  { reads }: Node,
  given: Pick<OpCase<object>, 'values'>,
  held: { dispose(): void }[],
): { gpu: Map<string, Buffer>; cpu: Map<string, HostArray> } {
  const states = { gpu: new Map<string, Buffer>(), cpu: new Map<string, HostArray>() };
  for (const [index, tensor] of reads.entries()) {
    if (tensor.kind !== 'tensor' || tensor.role !== 'state') continue;
    const open = (name: string, values: HostArray & ArrayBufferView<ArrayBuffer>) => {
      const buffer = gpu.createBuffer({ label: name, sizeBytes: values.byteLength, kind: 'kv-cache' });
      held.push(buffer);
      gpu.write(buffer, 0, values.slice());
      states.gpu.set(name, buffer);
      states.cpu.set(name, values);
    };
    open(tensor.name, valuesOf(tensor, tensor.fixed, index, given));
    // Not exchanged: every step reads the same current value.
    if (tensor.next) open(tensor.next.name, new Float32Array(tensor.fixed).fill(UNWRITTEN));
  }
  return states;
}

/** Fills inputs, and fills tensors that the op only writes with poison. */
function writeInputs(
  gpu: Gpu,
  plan: Plan,
  { reads, writes }: Node,
  given: Pick<OpCase<object>, 'values'>,
  { tokens, past }: Step,
): Map<Tensor, HostArray> {
  const inputs = new Map<Tensor, HostArray>();
  for (const [index, tensor] of reads.entries()) {
    if (tensor.kind !== 'tensor' || tensor.role === 'state') continue;
    const values = valuesOf(tensor, elementCount(tensor, tokens), index + 10 * past, given);
    gpu.write(plan.buffer(tensor), 0, values.slice());
    inputs.set(tensor, values);
  }
  for (const tensor of writes) {
    if (tensor.role === 'state' || inputs.has(tensor)) continue;
    const buffer = plan.buffer(tensor);
    gpu.write(buffer, 0, new Float32Array(buffer.sizeBytes / 4).fill(UNWRITTEN));
  }
  return inputs;
}

function valuesOf(
  { name, type }: Tensor,
  count: number,
  seed: number,
  { values }: Pick<OpCase<object>, 'values'>,
): HostArray & ArrayBufferView<ArrayBuffer> {
  const own = values?.[name]?.(count);
  invariant(own ?? type !== 'u32', () => `${name} holds words: the case has to give them`);
  const made = own ?? randomNormal(count, seed + 1);
  invariant(made.length === count, () => `${made.length} values of ${name}; wanted ${count}`);
  return made.slice();
}

function typed({ type }: Tensor, bytes: ArrayBuffer, count: number): HostArray {
  return type === 'u32' ? new Uint32Array(bytes, 0, count) : new Float32Array(bytes, 0, count);
}

function compare(
  tensor: Tensor,
  got: HostArray,
  want: HostArray,
  {
    compare: own,
    tolerance = { absolute: 1e-5, relative: 1e-5 },
  }: Pick<OpCase<object>, 'compare' | 'tolerance'>,
): void {
  const special = own?.[tensor.name];
  if (special) special(got, want);
  else {
    const exact = { absolute: 0, relative: 0 };
    expectClose(got, want, { ...(tensor.type === 'u32' ? exact : tolerance), label: tensor.name });
  }
}

function found(weights: ReadonlyMap<Weight, TestWeight>, weight: Weight): TestWeight {
  const known = weights.get(weight);
  invariant(known, () => `the node does not say that it reads ${weight.name}`);
  return known;
}
