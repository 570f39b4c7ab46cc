import { afterAll, expect, test } from 'vitest';
import { create } from 'webgpu';
import { slice } from '../../gpu/buffer.ts';
import { Gpu } from '../../gpu/device.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { Refusals } from '../../graph/candidates.ts';
import { dispatch, plainStep } from '../../graph/node.ts';
import { gateNode } from '../../graph/ops/gate.ts';
import { Plan, wholeWeight, type Resources, type Tuning } from '../../graph/plan.ts';
import { defineKernel } from '../../kernels/kernel.ts';
import { chooseKernels } from './gpu-load.ts';
import { tuneModel, type PlanSpec, type TuningStore } from './tuning.ts';

const dawn = create(['enable-dawn-features=disable_workgroup_init']); // zeros would take seconds to compile
const gpu = await Gpu.open({ gpu: dawn, adapterClass: 'hardware' });
afterAll(() => {
  gpu.dispose();
  void dawn; // Dawn goes when this object is collected
});

type Form = 'good' | 'also good' | 'no WGSL' | 'no grid' | 'too wide';

/** A kernel that writes its number of lanes, and forms of it that fail in every way that one can. */
const toy = defineKernel({
  name: 'toy',
  bindings: { y: 'write' },
  params: {},
  variants: [] as readonly { readonly form: Form }[],
  parts: ({ form }) => [
    {
      name: 'toy.wgsl',
      text: `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {
          ${form === 'no WGSL' ? 'this is no statement' : 'y[lane] = 1.0;'}
        }`,
    },
  ],
  overrides: () => ({}),
  key: ({ form }) => form,
  grid: (_size: object, { form }) => {
    if (form === 'no grid') throw new Error('129 of 128 experts');
    return form === 'too wide' ? [65_536, 1, 1] : [1, 1, 1];
  },
});

function specWith(...forms: readonly Form[]): PlanSpec {
  const builder = new GraphBuilder();
  const y = builder.tensor('y', { type: 'f32', role: 'output', fixed: 64 });
  builder.add({
    op: 'toy',
    label: 'toy',
    io: {},
    reads: [],
    writes: [y],
    run: () => {},
    lower: (context) => [
      context.choose(
        toy,
        forms.map((form) => ({ form })),
        'any',
        (variant) => dispatch(toy, variant, { buffers: { y }, params: () => ({}), size: () => ({}) }),
      ),
    ],
  });
  const resources: Resources = {
    weight: () => {
      throw new Error('there are no weights');
    },
    experts: undefined,
  };
  const options = { label: 'toy', maxTokens: 1, contextTokens: 1, scalar: 'f32' } as const;
  return { graph: builder.buildPart(), resources, options };
}

const KEY = 'toy any x1';

/** Keeps what is written, as long as `writes` allows. */
function memoryStore(writes = Infinity): TuningStore & { kept: Map<string, Tuning> } {
  const kept = new Map<string, Tuning>();
  let left = writes;
  return {
    kept,
    read: (adapter) => Promise.resolve(kept.get(adapter) ?? new Map<string, string>()),
    write: (adapter, tuning) => {
      left -= 1;
      if (left < 0) return Promise.reject(new Error('storage is full'));
      kept.set(adapter, tuning);
      return Promise.resolve();
    },
  };
}

async function tune(spec: PlanSpec, store: TuningStore | undefined, refusals = new Refusals()) {
  let timed = 0;
  const tuning = await tuneModel(gpu, [spec], { store, refusals }, () => (timed += 1));
  return { tuning, refusals, timed };
}

async function runs(spec: PlanSpec, tuning: Tuning, refusals: Refusals): Promise<string> {
  const plan = await Plan.open(gpu, spec.graph, spec.resources, { ...spec.options, tuning, refusals });
  plan.instance(new Map()).run(plainStep(1, 0));
  await gpu.idle();
  const [first] = plan.lowered.dispatches;
  plan.dispose();
  return first?.program.key ?? '';
}

test('candidates that do not compile, lay out or run are passed over and named', async () => {
  const spec = specWith('no grid', 'too wide', 'good', 'no WGSL');
  const { tuning, refusals } = await tune(spec, memoryStore());
  expect(tuning.get(KEY)).toBe('good');
  expect(refusals.list.map(({ kernel }) => kernel)).toEqual([
    `no grid for ${KEY}`,
    `too wide for ${KEY}`,
    `no WGSL for ${KEY}`,
  ]);
  const reasons = refusals.list.map(({ reason }) => reason);
  expect(reasons[0]).toBe('129 of 128 experts');
  expect(reasons[1]).toMatch(/refused too wide: .*65536/s);
  expect(reasons[2]).toMatch(/toy\.wgsl:3/);
  expect(await runs(spec, tuning, refusals)).toBe('good');
  expect(gpu.isLost).toBe(false);
});

test('where the default does not compile, the next one is taken without any tuning', async () => {
  const spec = specWith('no WGSL', 'good');
  const refusals = new Refusals();
  expect(await runs(spec, new Map(), refusals)).toBe('good');
  expect(refusals.list).toMatchObject([{ kernel: 'no WGSL' }]);
});

test('where a pinned choice does not compile, the default is taken', async () => {
  const spec = specWith('good', 'no WGSL');
  expect(await runs(spec, new Map([[KEY, 'no WGSL']]), new Refusals())).toBe('good');
});

test('where nothing compiles, the error says why', async () => {
  await expect(runs(specWith('no WGSL'), new Map(), new Refusals())).rejects.toMatchObject({
    code: 'shader',
    message: expect.stringMatching(/^no WGSL: toy\.wgsl:3/),
  });
});

test('a gate of 160 experts is tuned among the forms that hold them', async () => {
  const [experts, topK] = [160, 8];
  const builder = new GraphBuilder();
  const logits = builder.tensor('logits', { type: 'f32', role: 'input', perToken: experts });
  const ids = builder.tensor('ids', { type: 'u32', role: 'output', perToken: topK });
  const weights = builder.tensor('weights', { type: 'f32', role: 'output', perToken: topK });
  const bias = builder.exact('bias', 1, experts, 'bias');
  const rule = { score: 'softmax', renorm: 'sum', eps: 0, scale: 1, groups: null } as const;
  builder.add(gateNode('gate', { logits, bias, ids, weights, experts, topK, rule }));
  const buffer = gpu.createBuffer({ label: 'bias', sizeBytes: 4 * experts, kind: 'weights' });
  const resources = { weight: () => wholeWeight(slice(buffer), { rows: 1 }, 'f32', 0), experts: undefined };
  const options = { label: 'gate', maxTokens: 4, contextTokens: 4, scalar: 'f32' } as const;
  // As software, where two forms hold this many: on hardware there is no choice.
  const software = Gpu.adopt(gpu.device, 'software');
  const spec = { graph: builder.buildPart(), resources, options };
  const refusals = new Refusals();
  const store = memoryStore();
  await tuneModel(software, [spec], { store, refusals }, () => {});
  expect(refusals.list).toEqual([]);
  expect([...store.kept.values()].flatMap((tuning) => [...tuning.keys()])).toEqual([
    'gate softmax/all/sum 160 top 8 x4',
  ]);
  buffer.dispose();
});

const PAIR = specWith('good', 'also good');

test('a choice is made once, and is the same at the next visit', async () => {
  const store = memoryStore();
  const first = await tune(PAIR, store);
  expect(first.timed).toBe(1);
  store.kept.forEach((tuning, adapter) =>
    store.kept.set(adapter, new Map([...tuning].map(([key]) => [key, 'also good']))),
  );
  const second = await tune(PAIR, store);
  expect(second).toMatchObject({ timed: 0, tuning: new Map([[KEY, 'also good']]) });
});

test.each([
  ['there is no store', () => undefined],
  ['it cannot be read', () => ({ ...memoryStore(), read: () => Promise.reject(new Error('forbidden')) })],
  ['it cannot be written', () => memoryStore(0)],
])('the defaults are taken, and nothing is timed, where %s', async (_why, open) => {
  expect(await tune(PAIR, open())).toMatchObject({ timed: 0, tuning: new Map() });
});

test('what was timed is not taken where it could not be stored in the end', async () => {
  expect(await tune(PAIR, memoryStore(1))).toMatchObject({ timed: 1, tuning: new Map() });
});

test('pinned choices stay, with and without a store', async () => {
  const pinned = new Map([[KEY, 'also good']]);
  for (const store of [memoryStore(), undefined]) {
    const options = { tuning: { mode: pinned, store }, onProgress: () => {} };
    expect(await chooseKernels(gpu, [PAIR], options, new Refusals())).toBe(pinned);
  }
});
