/** Described layers of fixtures/routing against their known answers, by the references of the ops. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors/open.ts';
import type { CellsIo } from '../../graph/ops/cells.ts';
import { nodeFolder } from '../../io/node-file.ts';
import { CELLS } from '../../kernels/routing/cells/table.ts';
import { readDescribed } from '../load/described-file.ts';
import { compareDescribed } from './described-compare.ts';
import { runDescribedOnCpu } from './described-runner.ts';

const FOLDER = 'fixtures/routing';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors'));

const used = new Set<string>();

test.each(FILES)('%s', async (name) => {
  const checkpoint = await openSafetensors((await (await nodeFolder(FOLDER)).open(name))!);
  const file = await readDescribed(checkpoint);
  const built = file.build();
  const checks = compareDescribed(file, await runDescribedOnCpu(built, file.inputs(built), file.tokens));
  checkpoint.dispose();
  for (const { op, io } of built.graph.nodes) if (op === 'cells') used.add((io as CellsIo).cell);
  expect(checks.length).toBeGreaterThan(0);
  for (const { name: what, error, tolerance } of checks) expect(error, what).toBeLessThanOrEqual(tolerance);
});

/** Of rules that no paper's answer has; described-identities.test.ts runs them, and routing.gpu.test.ts those of merged experts. */
const IN_NO_ANSWER = ['largest-of', 'repeat-rows', 'alias-ids', 'alias-weights'];

test('every other cell is in an answer', () => {
  expect([...used, ...IN_NO_ANSWER].toSorted()).toEqual(Object.keys(CELLS).toSorted());
});
