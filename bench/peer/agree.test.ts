/** @module-tag full */
import type * as OrtWeb from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { LocalEngine } from '../../src/engine/index.ts';
import { relativeRms } from '../stats.ts';
import { checkpointFolder } from './checkpoint.ts';
import { makeWeights, type ModelShape } from './model.ts';
import { onnxModel } from './onnx.ts';
import { OrtModel } from './ort.ts';

const SMALL: ModelShape = {
  layers: 2,
  hidden: 128,
  ffn: 64,
  experts: 8,
  topK: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 32,
  vocab: 64,
  contextTokens: 32,
  theta: 10_000,
  eps: 1e-5,
};

/** A package of bench/package.json. */
async function peerRuntime(): Promise<typeof OrtWeb> {
  const name = 'onnxruntime-web';
  return import(/* @vite-ignore */ name).catch((cause: unknown) => {
    throw new Error('onnxruntime-web is not installed: run npm install in bench', { cause });
  });
}

test('the ONNX file and the checkpoint are one model', async () => {
  const weights = makeWeights(SMALL);
  const ort = await peerRuntime();
  ort.env.wasm.numThreads = 1;
  const peer = await OrtModel.open(ort, onnxModel(weights, { accuracy: 0 }), SMALL, 'wasm');
  const engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(checkpointFolder(weights), { quantize: 'q4_0', contextTokens: 32 });
  const ids = [3, 60, 17, 17, 41, 8, 0, 33];
  const ours = await engine.logits(ids);
  for (const [index, id] of ids.entries()) {
    const theirs = await peer.step([id]);
    const row = ours.subarray(index * SMALL.vocab, (index + 1) * SMALL.vocab);
    expect(relativeRms(row, theirs)).toBeLessThan(1e-3);
  }
  await peer.dispose();
  engine.dispose();
}, 60_000);
