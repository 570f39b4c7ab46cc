/** Replies with a shape and with biases: the same on every device. */
import { expect, test } from 'vitest';
import type { ResponseFormat } from '../api.ts';
import { DEVICES, engineWith, MOE, tell } from './decode.testing.ts';

const schema = { type: 'object', properties: { kind: { enum: ['fox', 'owl'] } }, required: ['kind'] };
const responseFormat: ResponseFormat = { type: 'json_schema', json_schema: { schema } };

test.each(DEVICES)('on %s', async (_, options) => {
  const engine = await engineWith(MOE, { contextTokens: 64 }, options);
  const { done } = await tell(engine, { responseFormat, temperature: 0, maxTokens: 30 });
  expect(done).toMatchObject({ reason: 'stop', decoding: { strategy: 'constrained' } });
  expect(JSON.parse(done.text)).toEqual({ kind: expect.toBeOneOf(['fox', 'owl']) });
  const plain = await tell(engine, { temperature: 0, maxTokens: 8 });
  const same = await tell(engine, { temperature: 0, maxTokens: 8, logitBias: { 3: -0.001 } });
  expect(same.ids).toEqual(plain.ids);
  engine.dispose();
});
