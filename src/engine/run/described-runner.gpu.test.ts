/** Described layers of fixtures/routing against their known answers, on the GPU. */
import { afterAll, describe, expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors/open.ts';
import { Gpu } from '../../gpu/device.ts';
import { testGpu } from '../../kernels/testing.ts';
import { readDescribed } from '../load/described-file.ts';
import { repositoryFolder } from '../testing.ts';
import { compareDescribed } from './described-compare.ts';
import { runDescribedOnGpu } from './described-runner.ts';

const NAMES = Object.keys(import.meta.glob('/fixtures/routing/*.safetensors', { query: '?url' })).map(
  (path) => path.replace(/^.*\//, ''),
);

const software = await testGpu();
const hardware = await Gpu.open({ features: ['subgroups'], adapterClass: 'hardware' });
afterAll(() => hardware.dispose());

test('all files are here', () => {
  expect(NAMES).toHaveLength(93);
});

describe.each([
  ['as software', software],
  ['as hardware', hardware],
] as const)('%s', (_, gpu) => {
  test.each(NAMES)('%s', async (name) => {
    const checkpoint = await openSafetensors(
      (await (await repositoryFolder('fixtures/routing')).open(name))!,
    );
    const file = await readDescribed(checkpoint);
    const built = file.build();
    const run = runDescribedOnGpu(gpu, checkpoint);
    const checks = compareDescribed(file, await run(built, file.inputs(built), file.tokens));
    checkpoint.dispose();
    const answers = [...checkpoint.names()].filter((each) => each.startsWith('expected.'));
    expect(checks.map(({ name: what }) => `expected.${what}`)).toEqual(answers);
    for (const { name: what, error, tolerance } of checks) expect(error, what).toBeLessThanOrEqual(tolerance);
  });
});
