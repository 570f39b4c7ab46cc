/** The example of a strategy from outside does what it says. */
import { expect, test } from 'vitest';
import { noRepeat } from '../../../examples/decoding-strategy/no-repeat.js';
import { engineWith, OMNI, tell } from './decode.testing.ts';

test('no three tokens come twice', async () => {
  const engine = await engineWith(OMNI, { contextTokens: 256 });
  const repeated = (ids: readonly number[]) => {
    const runs = ids.slice(2).map((id, at) => `${ids[at]} ${ids[at + 1]} ${id}`);
    return runs.length - new Set(runs).size;
  };
  const options = { temperature: 0, maxTokens: 120 };
  const plain = await tell(engine, options);
  const told = await tell(engine, { ...options, decoding: noRepeat(3) });
  engine.dispose();
  expect(repeated(plain.ids)).toBeGreaterThan(0);
  expect(repeated(told.ids)).toBe(0);
  expect(told.done.decoding).toEqual({ strategy: 'no-repeat', changed: expect.any(Number) });
});
