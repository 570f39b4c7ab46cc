/** Described layers of fixtures/routing against their known answers, by the references of the ops. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSafetensors } from '../../containers/safetensors.ts';
import { nodeFolder } from '../../io/node-file.ts';
import { readDescribed } from '../load/described-file.ts';
import { compareDescribed } from './described-compare.ts';
import { runDescribedOnCpu } from './described-runner.ts';

const FOLDER = 'fixtures/routing';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.safetensors'));

test.each(FILES)('%s', async (name) => {
  const checkpoint = await openSafetensors((await (await nodeFolder(FOLDER)).open(name))!);
  const file = await readDescribed(checkpoint);
  const built = file.build();
  const checks = compareDescribed(file, await runDescribedOnCpu(built, file.inputs(built), file.tokens));
  checkpoint.dispose();
  expect(checks.length).toBeGreaterThan(0);
  for (const { name: what, error, tolerance } of checks) expect(error, what).toBeLessThanOrEqual(tolerance);
});
