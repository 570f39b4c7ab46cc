/** A described layer (metadata `atomoe.layer`) against its expected.* tensors. */
import { AtomoeError } from '../errors.ts';
import type { Checkpoint } from '../containers/checkpoint.ts';
import { readDescribed } from '../engine/load/described-file.ts';
import { compareDescribed } from '../engine/run/described-compare.ts';
import type { RunDescribed } from '../engine/run/described-runner.ts';
import type { Check } from './check.ts';

/** @throws {AtomoeError} bad-file; bad-input - a wrong description; unsupported-model */
export async function verifyDescribed(checkpoint: Checkpoint, run: RunDescribed): Promise<Check[]> {
  const file = await readDescribed(checkpoint);
  const built = file.build();
  const checks = compareDescribed(file, await run(built, file.inputs(built), file.tokens));
  if (checks.length === 0) {
    throw new AtomoeError(
      'bad-file',
      `${checkpoint.label}: it has no known answers; wanted expected.ids, expected.weights or expected.y; write them into it`,
    );
  }
  return checks.map(({ name, error, tolerance, of }) => ({
    ...{ name, mode: 'in one go', error, tolerance, of },
    unit: tolerance === 0 ? 'wrong' : 'absolute',
  }));
}
