import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Gpu } from '../gpu/device.ts';
import { allPrograms } from './index.ts';

/** In Firefox this is naga, a second compiler that must accept the same programs as Dawn in shaders.test.ts. */
const gpu = await Gpu.open({ features: ['shader-f16', 'subgroups'] });
const legal = allPrograms.filter(({ features }) => features.every((feature) => gpu.features.has(feature)));

describe('the compiler of this browser', () => {
  beforeAll(() => {
    expect(gpu.features.has('shader-f16')).toBe(true);
  });
  afterAll(() => gpu.dispose());

  test.each(legal.map((program) => [program.key, program] as const))('compiles %s', async (_key, program) => {
    await gpu.pipelines.compile(program);
  });
});
