/** The layer files on the CPU: by the WebAssembly kernels, and by their references. */
import { expect, test } from 'vitest';
import { openSafetensors } from '../containers/safetensors/open.ts';
import { openReferenceLayer, openSimdLayer } from '../engine/run/layer-runner.ts';
import { repositoryFolder } from '../engine/testing.ts';
import { openKernels } from '../simd/modules.ts';
import { isGood } from './check.ts';
import { verifyLayer } from './verify-layer.ts';

test.each([
  ['omnimoe', 'cpu'],
  ['omnimoe', 'reference'],
  ['peer', 'cpu'],
  ['peer', 'reference'],
] as const)('fixtures/layers/%s on %s', async (name, device) => {
  const file = await (await repositoryFolder('fixtures/layers')).open(`${name}.safetensors`);
  const kernels = await openKernels({ threads: 1 });
  if ('reason' in kernels) throw new Error(kernels.message);
  const checkpoint = await openSafetensors(file!);
  const found = await verifyLayer(checkpoint, (layer) =>
    device === 'cpu' ? openSimdLayer(layer, kernels) : openReferenceLayer(layer),
  );
  checkpoint.dispose();
  expect(found.device).toMatch(device === 'cpu' ? /WebAssembly/ : /reference/);
  expect(found.checks.length).toBeGreaterThan(6);
  expect(found.checks.filter((check) => !isGood(check))).toEqual([]);
});
