/** The layer files on the GPU: what `atomoe verify` does, on the device that all tests share. */
import { expect, test } from 'vitest';
import { openGpuLayer } from '../engine/run/layer-runner.ts';
import { repositoryFolder } from '../engine/testing.ts';
import { openSafetensors } from '../containers/safetensors/open.ts';
import { testGpu } from '../kernels/testing.ts';
import { isGood } from './check.ts';
import { verifyLayer } from './verify-layer.ts';

const gpu = await testGpu();

test.each([
  ['omnimoe', ['ids', 'log_scores', 'weights', 'y', 'y_renormalised']],
  ['peer', ['ids', 'scores', 'weights', 'y']],
] as const)('fixtures/layers/%s in one go and token by token', async (name, outputs) => {
  const file = await (await repositoryFolder('fixtures/layers')).open(`${name}.safetensors`);
  if (!file) throw new Error(`no layer ${name}`);
  const checkpoint = await openSafetensors(file);
  const { checks } = await verifyLayer(checkpoint, (layer) => openGpuLayer(layer, gpu));
  checkpoint.dispose();
  expect(checks.filter((check) => !isGood(check))).toEqual([]);
  expect(new Set(checks.map(({ name: output, mode }) => `${output}, ${mode}`))).toEqual(
    new Set(outputs.flatMap((output) => [`${output}, in one go`, `${output}, token by token`])),
  );
});
