/** Runs described layers on the reference, for tests of what kinds of experts and patterns have in common. */
import { runOnCpu } from '../../graph/cpu.ts';
import { plainStep, type HostArray } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { randomNormal } from '../../kernels/testing.ts';
import { parseLayer } from '../../models/layer/layer.ts';
import { buildDescribed, type DescribedLayer } from './layer.ts';
import { LayerTensors, type HostTensor } from './tensors.ts';

/** Tensors of a layer and of a request, by name. */
export type Named = Readonly<Record<string, HostTensor>>;

/** A description without what all have. */
export type Keys = Readonly<Record<string, unknown>>;

export const HIDDEN = 8;
export const TOKENS = 12;

/** A random tensor, the same for the same seed. */
export function random(seed: number, ...shape: number[]): HostTensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return { shape, values: Float32Array.from(randomNormal(size, seed, 0.5)) };
}

/** A tensor with the values of a function of its index. */
export function filled(shape: readonly number[], valueAt: (at: number) => number): HostTensor {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return { shape, values: Float32Array.from({ length: size }, (_, at) => valueAt(at)) };
}

/** The input of all runs. */
export const X = random(1, TOKENS, HIDDEN);

/** The graph of a layer for requests of `TOKENS` tokens. */
export function built(description: Keys, tensors: Named): DescribedLayer {
  const layer = parseLayer({ format: 'atomoe.layer', version: 1, hiddenSize: HIDDEN, ...description });
  const widths = new Map(Object.entries(tensors).map(([name, { shape }]) => [name, shape[1] ?? 1]));
  const request = { tokens: TOKENS, sequences: 0, widths };
  return buildDescribed(layer, new LayerTensors('the test', new Map(Object.entries(tensors))), request);
}

/** The outputs of a layer for `X`: `y`, `ids.0`, `weights.0`, and so on. */
export function run(description: Keys, tensors: Named, x = X): Readonly<Record<string, HostArray>> {
  const { graph, x: input, inputs, outputs } = built(description, tensors);
  const given = inputs.map(({ name, tensor }): [Tensor, HostArray] => {
    const values = tensors[name]?.values ?? [];
    return [tensor, tensor.type === 'u32' ? Uint32Array.from(values) : Float32Array.from(values)];
  });
  const resources = {
    weight: ({ source }: DescribedLayer['graph']['weights'][number]) =>
      source.kind === 'computed' ? source.values() : new Float32Array(),
    experts: undefined,
    contextTokens: TOKENS,
  };
  const values = new Map<Tensor, HostArray>([[input, x.values], ...given]);
  const get = runOnCpu(graph, resources, new Map(), plainStep(TOKENS, 0), values);
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, get(tensor)]));
}

/** The bytes of the weights of a layer's graph. */
export function weightBytes(description: Keys, tensors: Named): number {
  return built(description, tensors).graph.weights.reduce((sum, { rows, cols }) => sum + 4 * rows * cols, 0);
}

/** The product of stacks of matrices [n, a, b] and [n, b, c]; a stack of one is the same for all. */
export function product(left: HostTensor, right: HostTensor): HostTensor {
  const [a = 1, b = 1] = left.shape.slice(-2);
  const c = right.shape.at(-1) ?? 1;
  const sizes = [left.values.length / (a * b), right.values.length / (b * c)] as const;
  const count = Math.max(...sizes);
  return filled([count, a, c], (at) => {
    const [n, row, col] = [Math.floor(at / (a * c)), Math.floor(at / c) % a, at % c];
    const [l, r] = [n % sizes[0], n % sizes[1]];
    let sum = 0;
    for (let k = 0; k < b; k += 1) {
      const [one = NaN, other = NaN] = [
        left.values[(l * a + row) * b + k],
        right.values[(r * b + k) * c + col],
      ];
      sum += one * other;
    }
    return sum;
  });
}
