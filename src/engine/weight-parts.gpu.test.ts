/** Matrices in several bindings, and dispatches in several pieces, give the bits of one. */
import { beforeAll, expect, test } from 'vitest';
import type { Bounds } from '../graph/weight-parts.ts';
import type { QuantizeFormat } from './api.ts';
import { firstDifference, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

const folder = await repositoryFolder('fixtures/models/qwen2_moe'); // biases, a shared expert, a head of its own
const { ids } = await readGolden<FixtureGolden>(folder);

/** 64 rows of 64 columns in f32: what larger matrices are cut into. */
const bounds: Bounds = { matrixBindingBytes: 64 * 64 * 4 };

async function logitsOf(limited: Bounds, quantize?: QuantizeFormat) {
  const engine = await openEngine({ bounds: limited });
  await engine.load(folder, quantize ? { quantize } : {});
  const values = [await engine.logits(ids, 'at-once'), await engine.logits(ids, 'one-by-one')];
  const decode = engine.runner.tools!.dispatches.decode;
  engine.dispose();
  return { values, decode };
}

const formats = [undefined, 'q8_0'] as const;
const whole = new Map<QuantizeFormat | undefined, Awaited<ReturnType<typeof logitsOf>>>();
beforeAll(async () => {
  for (const format of formats) whole.set(format, await logitsOf({}, format));
});

test.each(formats)('matrices in several bindings, %s', async (format) => {
  const size = format === 'q8_0' ? { matrixBindingBytes: 64 * 64 + 2 * 64 * 2 } : bounds;
  const parts = await logitsOf(size, format);
  const right = whole.get(format)!;
  expect(parts.decode).toBeGreaterThan(right.decode);
  for (const [index, values] of parts.values.entries())
    expect(firstDifference(values, right.values[index]!)).toBe('equal');
});

test.each([
  ['software', 'fixtures/models/qwen2_moe', 2 ** 14],
  ['hardware', 'demo/public/models/fable-moe-12m', 2 ** 20], // experts of several strips of outputs
] as const)('long dispatches in many pieces, as on %s', async (adapterClass, path, mostMultiplyAdds) => {
  const model = await repositoryFolder(path);
  const prompt = (await readGolden<FixtureGolden>(model)).ids.slice(0, 24);
  const run = async (limited: Bounds) => {
    const engine = await openEngine({ bounds: limited, adapterClass });
    await engine.load(model);
    const logits = await engine.logits(prompt, 'at-once');
    const { prefill } = engine.runner.tools!.dispatches;
    engine.dispose();
    return { logits, prefill };
  };
  const [one, many] = [await run({}), await run({ mostMultiplyAdds })];
  expect(many.prefill).toBeGreaterThan(2.5 * one.prefill);
  expect(firstDifference(many.logits, one.logits)).toBe('equal');
});
