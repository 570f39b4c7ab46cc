/** Described layers of fixtures/routing against their known answers, by the references of the ops and in WebAssembly. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors/open.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import type { CellsIo } from '../../graph/ops/cells.ts';
import { nodeFolder } from '../../io/node-file.ts';
import { CELLS } from '../../kernels/routing/cells/table.ts';
import { openKernels } from '../../simd/modules.ts';
import { readDescribed } from '../load/described-file.ts';
import { compareDescribed } from './described-compare.ts';
import { runDescribedOnCpu, type RunDescribed } from './described-runner.ts';
import { runDescribedOnSimd } from './described-simd.ts';

const FOLDER = 'fixtures/routing';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors'));

const used = new Set<string>();

const kernels = await openKernels({ threads: 1 });
if (!('module' in kernels)) throw new Error('no WebAssembly kernels');

/** Kinds of answers; the files have no other. */
const KINDS = ['bits', 'counts', 'ids', 'scores', 'state', 'tokens', 'weights', 'y'];
const compared = new Set<string>();

const DEVICES: Readonly<Record<string, (checkpoint: Checkpoint) => RunDescribed>> = {
  'the references': () => runDescribedOnCpu,
  WebAssembly: (checkpoint) => runDescribedOnSimd(kernels, checkpoint),
};

describe.each(Object.keys(DEVICES))('by %s', (device) => {
  test.each(FILES)('%s', async (name) => {
    const checkpoint = await openSafetensors((await (await nodeFolder(FOLDER)).open(name))!);
    const file = await readDescribed(checkpoint);
    const built = file.build();
    const run = DEVICES[device]!(checkpoint);
    const checks = compareDescribed(file, await run(built, file.inputs(built), file.tokens));
    checkpoint.dispose();
    for (const { op, io } of built.graph.nodes) if (op === 'cells') used.add((io as CellsIo).cell);
    for (const { name: what } of checks) compared.add(what.split('.')[0]!);
    const answers = [...checkpoint.names()].filter((each) => each.startsWith('expected.'));
    expect(checks.map(({ name: what }) => `expected.${what}`)).toEqual(answers);
    for (const { name: what, error, tolerance } of checks) expect(error, what).toBeLessThanOrEqual(tolerance);
  });
});

test('every kind of answer is compared', () => {
  expect([...compared].toSorted()).toEqual(KINDS);
});

/** Of rules that no paper's answer has; described-identities.test.ts runs them, and routing.gpu.test.ts those of merged experts. */
const IN_NO_ANSWER = ['largest-of', 'repeat-rows', 'alias-ids', 'alias-weights'];

test('every other cell is in an answer', () => {
  expect([...used, ...IN_NO_ANSWER].toSorted()).toEqual(Object.keys(CELLS).toSorted());
});
