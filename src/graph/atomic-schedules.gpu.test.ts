import { expect, test } from 'vitest';
import { packRecord, recordLayout } from '../weights/record.ts';
import { evenRecords } from '../experts/pools.ts';
import { ExpertStore } from '../experts/store.ts';
import { encodeMatrix } from '../weights/matrix.ts';
import { expectClose, randomNormal, randomStream, testGpu } from '../kernels/testing.ts';
import type { AtomicSchedule } from '../kernels/atomic/atomic-schedule.ts';
import { GraphBuilder } from './builder.ts';
import { plainStep } from './node.ts';
import { atomicExpertsNode } from './ops/atomic-experts.ts';
import { Plan } from './plan.ts';

const gpu = await testGpu();
const [pages, pageExperts, hidden, topK, tokens] = [4, 64, 64, 24, 48];
const experts = pages * pageExperts;

/** A layer of random experts; most of 48 x 24 pairs share their expert with some others. */
async function openStore(): Promise<ExpertStore> {
  const shape = [pageExperts, hidden] as const;
  const layout = recordLayout('f16', { in: shape, out: shape });
  const store = await ExpertStore.open(gpu, evenRecords(1, pages, layout));
  const half = (seed: number) => {
    const values = randomNormal(pageExperts * hidden, seed, 0.2);
    return encodeMatrix('F32', new Uint8Array(values.buffer), 'f16', pageExperts, hidden);
  };
  for (let page = 0; page < pages; page += 1) {
    store.put(0, page, packRecord(layout, { in: half(2 * page + 1), out: half(2 * page + 2) }));
  }
  store.commit();
  return store;
}

async function run(store: ExpertStore, schedule: AtomicSchedule | undefined, count: number) {
  const builder = new GraphBuilder();
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  const ids = builder.tensor('expert ids', { type: 'u32', role: 'input', perToken: topK });
  const weights = builder.tensor('expert weights', { type: 'f32', role: 'input', perToken: topK });
  const y = builder.tensor('y', { role: 'output', perToken: hidden });
  const io = { x, ids, weights, y, bank: 0, experts, topK, hidden, activation: 'silu', schedule } as const;
  builder.add(atomicExpertsNode('layer', io));
  const resources = {
    weight: () => {
      throw new Error('there are no dense weights');
    },
    experts: store,
  };
  const options = { maxTokens: tokens, contextTokens: tokens, scalar: 'f32', tuning: new Map() } as const;
  const plan = await Plan.open(gpu, builder.buildPart(), resources, { label: 'schedules', ...options });
  try {
    const next = randomStream(5);
    gpu.write(plan.buffer(x), 0, randomNormal(tokens * hidden, 3));
    gpu.write(plan.buffer(weights), 0, randomNormal(tokens * topK, 4));
    const drawn = Uint32Array.from({ length: tokens * topK }, () => Math.floor(next() ** 2 * experts));
    gpu.write(plan.buffer(ids), 0, drawn);
    const instance = plan.instance(new Map());
    const step = plainStep(count, 0);
    const dispatches = instance.commands(step).length;
    instance.run(step);
    const bytes = await gpu.read(plan.buffer(y));
    return { dispatches, values: new Float32Array(bytes, 0, count * hidden) };
  } finally {
    plan.dispose();
  }
}

test('both schedules give the same result, and each step uses the one that suits its pairs', async () => {
  const store = await openStore();
  try {
    const byToken = await run(store, 'tokens', tokens);
    const byExpert = await run(store, 'experts', tokens);
    expectClose(byExpert.values, byToken.values, { absolute: 1e-6, relative: 1e-5 });
    expect(byToken.dispatches).toBe(2);
    expect(byExpert.dispatches).toBe(5); // one pass of three to sort 256 ids, scores, sums
    // 48 pairs rarely share one of 256 experts; 1152 pairs share it with three others or more.
    expect((await run(store, undefined, 2)).dispatches).toBe(byToken.dispatches);
    const many = gpu.adapterClass === 'software' ? byToken : byExpert; // sorting never pays on a software adapter
    expect((await run(store, undefined, tokens)).dispatches).toBe(many.dispatches);
  } finally {
    store.dispose();
  }
});
