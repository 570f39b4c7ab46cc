/** Models for tests of merged experts. */
import { remadeModel } from '../remade-model.testing.ts';
import { repositoryFolder } from '../testing.ts';
import { draftModel, type Drafted } from '../load/planning.ts';
import type { Groups } from './merge.ts';

const MATRIX = /experts\.(\d+)\.(gate|up|down)_proj\.weight$/;

/** The fixture of qwen3_moe in which each expert with an odd number is made of the one before it. */
export async function withPairs(
  make: (
    values: Float32Array<ArrayBuffer>,
    matrix: string,
    shape: readonly number[],
  ) => Float32Array<ArrayBuffer> = (same) => same,
): Promise<Drafted> {
  const first = new Map<string, Float32Array<ArrayBuffer>>();
  const folder = await repositoryFolder('fixtures/models/qwen3_moe');
  const collect = (name: string, values: Float32Array<ArrayBuffer>) => {
    if (MATRIX.test(name)) first.set(name, values);
  };
  await remadeModel(folder, { tensor: (name, tensor) => (collect(name, tensor.values), tensor) });
  const remade = await remadeModel(folder, {
    tensor: (name, tensor) => {
      const [, number = '0', matrix = ''] = MATRIX.exec(name) ?? [];
      if (Number(number) % 2 === 0) return tensor;
      const values = first.get(name.replace(`experts.${number}.`, `experts.${Number(number) - 1}.`));
      return { ...tensor, values: make(values ?? new Float32Array(), matrix, tensor.shape) };
    },
  });
  return draftModel(remade, {});
}

/** Groups of two experts each, in every layer. */
export function pairs({ expertLayers }: Drafted, uses: (expert: number) => number = () => 1): Groups[] {
  return expertLayers.map(({ experts }) => ({
    alias: Array.from({ length: experts }, (_, expert) => expert >> 1),
    leaders: Array.from({ length: experts >> 1 }, (_, group) => 2 * group),
    uses: Float64Array.from({ length: experts }, (_, expert) => uses(expert)),
  }));
}
