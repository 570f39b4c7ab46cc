/** A layer file against its expected.* tensors: in one go and token by token. */
import { AtomoeError } from '../errors.ts';
import { buildLayer } from '../blocks/layer.ts';
import type { Checkpoint } from '../containers/checkpoint.ts';
import { readLayer, unfit, type LayerFile } from '../engine/load/layer-file.ts';
import type { LayerRunner, Outputs } from '../engine/run/layer-runner.ts';
import { largestError, rootMeanSquare, type Check } from './check.ts';

const TOLERANCE = 1e-5; // relative to the root mean square of the output, in f32
const TIE = 1e-4; // scores closer than this may change places

/** Which output answers which tensor, under which weight convention. */
const EXPECTATIONS = [
  { name: 'ids', output: 'ids', renormalise: false },
  { name: 'log_scores', output: 'scores', renormalise: false },
  { name: 'scores', output: 'scores', renormalise: false },
  { name: 'weights', output: 'weights', renormalise: false },
  { name: 'y', output: 'y', renormalise: false },
  { name: 'y_renormalised', output: 'y', renormalise: true },
] as const;

/**
 * @param open - opens the layer on the device that is to run it
 * @throws {AtomoeError} bad-file; unsupported-model; out-of-memory
 */
export async function verifyLayer(
  checkpoint: Checkpoint,
  open: (layer: LayerFile) => Promise<LayerRunner> | LayerRunner,
): Promise<{ device: string; checks: Check[] }> {
  const layer = readLayer(checkpoint);
  const wanted = EXPECTATIONS.filter(({ name }) => checkpoint.tensor(`expected.${name}`));
  if (wanted.length === 0) {
    const names = EXPECTATIONS.map(({ name }) => `expected.${name}`).join(', ');
    throw new AtomoeError(
      'bad-file',
      `${checkpoint.label}: it has no known answers; wanted one of ${names}; write them into it`,
    );
  }
  const runner = await open(layer);
  try {
    const checks: Check[] = [];
    const modes = [
      { mode: 'in one go', stepTokens: layer.tokens },
      { mode: 'token by token', stepTokens: 1 },
    ];
    for (const { mode, stepTokens } of modes) {
      for (const renormalise of [false, true]) {
        const names = wanted.filter((expectation) => expectation.renormalise === renormalise);
        if (names.length === 0) continue;
        const outputs = await runLayer(layer, runner, renormalise, stepTokens);
        for (const { name, output } of names) checks.push(await compare(layer, mode, name, output, outputs));
      }
    }
    return { device: runner.device, checks };
  } finally {
    runner.dispose();
  }
}

async function runLayer(
  layer: LayerFile,
  runner: LayerRunner,
  renormalise: boolean,
  stepTokens: number,
): Promise<Outputs> {
  const built = await buildLayer(await layer.moe(renormalise), layer.hidden);
  return runner.run(built, await layer.checkpoint.readF32('x'), stepTokens);
}

async function compare(
  { checkpoint, topK }: LayerFile,
  mode: string,
  name: string,
  output: string,
  outputs: Outputs,
): Promise<Check> {
  const got = outputs[output] ?? new Float32Array();
  const tensor = `expected.${name}`;
  const wanted = await readNumbers(checkpoint, tensor);
  if (wanted.length !== got.length) throw unfit(checkpoint, tensor, `${got.length} values`);
  if (name === 'ids') {
    const error = wrongIds(got, wanted, outputs['scores'] ?? [], topK);
    return { name, mode, error, tolerance: 0, unit: 'wrong', of: wanted.length };
  }
  const error = largestError(got, wanted) / Math.max(Number.MIN_VALUE, rootMeanSquare(wanted));
  return { name, mode, error, tolerance: TOLERANCE, unit: 'relative', of: wanted.length };
}

/** Ids may be stored as 32- or 64-bit integers. */
async function readNumbers(checkpoint: Checkpoint, name: string): Promise<ArrayLike<number>> {
  const dtype = checkpoint.tensor(name)?.dtype;
  if (dtype !== 'I32' && dtype !== 'U32' && dtype !== 'I64') return checkpoint.readF32(name);
  const { buffer, byteOffset, byteLength } = (await checkpoint.read(name)).bytes;
  if (dtype !== 'I64') return new Int32Array(buffer, byteOffset, byteLength / 4);
  return Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
}

/** Ids that differ, but for those whose scores are as good as equal to a neighbour's or to the next one's. */
function wrongIds(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  scores: ArrayLike<number>,
  topK: number,
): number {
  let wrong = 0;
  for (let at = 0; at < wanted.length; at += 1) {
    if (got[at] === wanted[at]) continue;
    const isTied = [at - 1, at + 1].some(
      (other) =>
        Math.floor(other / topK) === Math.floor(at / topK) &&
        Math.abs((scores[at] ?? 0) - (scores[other] ?? Infinity)) <= TIE &&
        got[at] === wanted[other],
    );
    if (!isTied) wrong += 1;
  }
  return wrong;
}
