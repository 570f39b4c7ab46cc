/** Every op against its reference, through the planner, with the variants for software adapters and for hardware. */
import { afterAll, describe, expect, test } from 'vitest';
import {
  packRecord,
  recordLayout,
  unpackRecord,
  type RecordLayout,
  type RecordShapes,
} from '../../weights/record.ts';
import { evenRecords } from '../../experts/pools.ts';
import { ExpertStore } from '../../experts/store.ts';
import { Gpu } from '../../gpu/device.ts';
import type { GluActivation } from '../../kernels/core/activation.ts';
import { ropeAngles } from '../../kernels/attention/rope-angles.ts';
import { expectClose, randomNormal, randomStream, testGpu } from '../../kernels/testing.ts';
import { wholeBlocks } from '../../kernels/weights.testing.ts';
import { BUILT_IN_FORMATS, weightFormat, type FormatName } from '../../weights/formats/index.ts';
import { encodeMatrix } from '../../weights/matrix.ts';
import type { GraphBuilder } from '../builder.ts';
import type { CpuExpertWeights } from '../experts.ts';
import { plainStep, type HostArray, type Step } from '../node.ts';
import { expectOp, type OpCase } from '../op.testing.ts';
import { runReference } from '../references.ts';
import { atomicExpertsNode } from './atomic-experts.ts';
import { attentionNode } from './attention.ts';
import {
  addNormedNode,
  addRmsNormNode,
  addSharedNode,
  embeddingNode,
  gluActivationNode,
  lastRowNode,
  scaleRowsNode,
  softCapNode,
} from './basic.ts';
import { gateNode } from './gate.ts';
import { hookedGateNode, hookLogitsNode } from './hooks.ts';
import { hooksSize, packChoice } from '../../kernels/routing/hooked-gate.ts';
import { editsSize, packEdits } from '../../kernels/routing/hook-logits.ts';
import { latentKeysNode, latentQueryNode, latentValuesNode } from './latent.ts';
import { gateSigmoidNode } from './gate-sigmoid.ts';
import { ropeKvNode } from './rope-kv.ts';
import { linearNode } from './linear.ts';
import { expertsNode } from './moe.ts';
import { layerNormNode, rmsNormNode } from './norm.ts';
import { productRouteNode } from './product-route.ts';
import { penaltyNode, sampleNode, SAMPLE_RECORD_BYTES, SEEN } from './sample.ts';
import { causalConvNode, deltaScanNode, gatedNormNode, stateScanNode } from './recurrent.ts';
import { addWeighedNode } from './add-weighed.ts';
import { keyBiasNode } from './key-bias.ts';
import { shortConvNode } from './short-conv.ts';
import { skipLightNode } from './skip-light.ts';

const software = await testGpu();
const hardware = await Gpu.open({ features: ['subgroups'], adapterClass: 'hardware' });
afterAll(() => hardware.dispose());

const STEPS = [plainStep(1, 0), plainStep(7, 1)];
/** The kernels' tests have those that nothing is encoded as. */
const FORMATS: readonly FormatName[] = BUILT_IN_FORMATS.filter((name) => weightFormat(name).encode);

const f32 = (builder: GraphBuilder, name: string, role: 'input' | 'output', perToken: number) =>
  builder.tensor(name, { type: 'f32', role, perToken });
const u32 = (builder: GraphBuilder, name: string, role: 'input' | 'output', perToken: number) =>
  builder.tensor(name, { type: 'u32', role, perToken });

/** Random integers below a limit. */
const below = (limit: number) => (count: number) => {
  const next = randomStream(count);
  return Uint32Array.from({ length: count }, () => Math.floor(next() * limit));
};

/** Distinct consecutive experts per token, from a random start. */
const chosen = (experts: number, topK: number) => (count: number) =>
  Uint32Array.from({ length: count }, (_, index) => {
    const first = Math.floor(randomStream(Math.floor(index / topK))() * experts);
    return (first + (index % topK)) % experts;
  });

function describeOp(name: string, cases: Readonly<Record<string, OpCase<never>>>): void {
  describe(name, () => {
    for (const [what, one] of Object.entries(cases)) {
      test.each([
        ['software', software],
        ['hardware', hardware],
      ])(`${what} as %s`, (_as, gpu) => expectOp(gpu, one));
    }
  });
}

/** Erases the type of a case, so that a table holds several. */
function opCase<Io extends object>(one: OpCase<Io>): OpCase<never> {
  return one as unknown as OpCase<never>;
}

describeOp(
  'embedding',
  Object.fromEntries(
    FORMATS.map((format) => [
      format,
      opCase({
        make: embeddingNode,
        io: (builder) => ({
          ids: builder.ids,
          table: builder.matrix('table', 67, wholeBlocks(format, 96)),
          y: f32(builder, 'y', 'output', wholeBlocks(format, 96)),
          multiplier: 1.5,
        }),
        values: { ids: below(67) },
        format,
        steps: STEPS,
      }),
    ]),
  ),
);

const norms = (cols: number) =>
  opCase({
    make: rmsNormNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', cols),
      gain: builder.exact('gain', 1, cols),
      y: builder.tensor('y', { role: 'output', perToken: cols }),
      eps: 1e-6,
    }),
    steps: STEPS,
  });

describeOp('rms-norm', { '64 columns': norms(64), '260 columns': norms(260), '1028 columns': norms(1028) });

describeOp('layer-norm', {
  '260 columns': opCase({
    make: layerNormNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 260),
      gain: builder.exact('gain', 1, 260),
      shift: builder.exact('shift', 1, 260),
      y: builder.tensor('y', { role: 'output', perToken: 260 }),
      eps: 1e-5,
    }),
    steps: STEPS,
  }),
});

const added = (isScaled: boolean) =>
  opCase({
    make: addNormedNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 260),
      branch: f32(builder, 'branch', 'input', 260),
      scale: 0.5,
      gain: builder.exact('gain', 1, 260),
      factor: isScaled ? builder.exact('factor', 1, 1) : undefined,
      eps: 1e-5,
      y: f32(builder, 'y', 'output', 260),
    }),
    steps: STEPS,
  });

describeOp('add-normed', { plain: added(false), scaled: added(true) });

const scaledRows = (isOfPositions: boolean) =>
  opCase({
    make: scaleRowsNode,
    io: (builder) => ({
      x: builder.tensor('x', { role: 'input', perToken: 20 }),
      factors: isOfPositions ? builder.exact('factors', 8, 1) : f32(builder, 'factors', 'input', 1),
      y: builder.tensor('y', { role: 'output', perToken: 20 }),
      cols: 20,
    }),
    steps: STEPS,
  });

describeOp('scale-rows', { 'of tokens': scaledRows(false), 'of positions': scaledRows(true) });

describeOp('soft-cap', {
  '67 a token': opCase({
    make: softCapNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 67),
      y: f32(builder, 'y', 'output', 67),
      cap: 0.5,
    }),
    steps: STEPS,
    tolerance: { absolute: 5e-6, relative: 1e-5 }, // WGSL's tanh may be off by 1e-5
  }),
});

describeOp('add-rms-norm', {
  '260 columns': opCase({
    make: addRmsNormNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 260),
      branch: f32(builder, 'branch', 'input', 260),
      scale: 0.5,
      gain: builder.exact('gain', 1, 260),
      eps: 1e-5,
      sum: f32(builder, 'sum', 'output', 260),
      y: builder.tensor('y', { role: 'output', perToken: 260 }),
    }),
    steps: STEPS,
  }),
});

const glu = (activation: 'silu' | 'gelu') =>
  opCase({
    make: gluActivationNode,
    io: (builder) => ({
      gateUp: builder.tensor('gate up', { role: 'input', perToken: 72 }),
      y: builder.tensor('y', { role: 'output', perToken: 36 }),
      width: 36,
      activation,
    }),
    steps: STEPS,
  });

describeOp('glu-activation', { silu: glu('silu'), gelu: glu('gelu') });

const shared = (hasGate: boolean) =>
  opCase({
    make: addSharedNode,
    io: (builder) => ({
      a: f32(builder, 'a', 'input', 68),
      b: f32(builder, 'b', 'input', 68),
      gate: hasGate ? f32(builder, 'gate', 'input', 1) : undefined,
      y: f32(builder, 'y', 'output', 68),
      cols: 68,
    }),
    steps: STEPS,
  });

describeOp('add-shared', { plain: shared(false), 'with a gate': shared(true) });

describeOp('take-row', {
  '68 columns': opCase({
    make: lastRowNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 68),
      y: builder.tensor('y', { type: 'f32', role: 'output', fixed: 68 }),
      cols: 68,
    }),
    steps: STEPS,
  }),
});

interface Product {
  readonly format?: FormatName;
  readonly tokens?: number;
  readonly outs?: number;
  readonly cols?: number;
  readonly hasBias?: boolean;
  readonly mostMultiplyAdds?: number;
}

const product = ({ tokens = 7, outs = 261, cols = 96, hasBias = false, ...rest }: Product) =>
  opCase({
    make: linearNode,
    io: (builder) => ({
      x: builder.tensor('x', { role: 'input', perToken: cols }),
      weight: builder.matrix('w', outs, cols),
      bias: hasBias ? builder.exact('bias', outs, 1) : undefined,
      y: builder.tensor('y', { role: 'output', perToken: outs }),
      multiplier: 0.5,
    }),
    steps: [plainStep(1, 0), plainStep(tokens, 1)],
    tolerance: { absolute: 1e-4, relative: 1e-4 },
    ...rest,
  });

describeOp('linear', {
  ...Object.fromEntries(
    FORMATS.map((format) => [format, product({ format, cols: wholeBlocks(format, 96) })]),
  ),
  'tiles of rows': product({ tokens: 33, hasBias: true }),
  'tiles of rows, q4_0': product({ tokens: 33, format: 'q4_0' }),
  'tiles of rows, nested4': product({ tokens: 33, format: 'nested4', cols: 192 }),
  'one row, with bias': product({ tokens: 1, hasBias: true }),
  // 771 blocks: the last scales do not fill 16 bytes, and a binding has a multiple of 16
  'scales that end within a word': product({ outs: 257, format: 'q8_0' }),
  'in pieces': product({ tokens: 33, mostMultiplyAdds: 128 * 33 * 96 }),
});

const rope = (norm: 'none' | 'head' | 'vector', style: 'half' | 'pair') =>
  opCase({
    make: ropeKvNode,
    io: (builder) => ({
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      qkv: builder.tensor('qkv', { role: 'input', perToken: 128 }),
      angles: builder.computed('angles', 12, 8, () =>
        ropeAngles({ theta: 1e4, rotaryDim: 8, positions: 12 }),
      ),
      gains:
        norm === 'none'
          ? undefined
          : {
              q: builder.exact('q gain', 1, norm === 'vector' ? 64 : 16),
              k: builder.exact('k gain', 1, norm === 'vector' ? 32 : 16),
            },
      norm,
      rotaryDim: 8,
      style,
      eps: 1e-6,
      q: builder.tensor('q', { role: 'output', perToken: 64 }),
      kCache: builder.tensor('keys', { role: 'state', fixed: 12 * 32 }),
      vCache: builder.tensor('values', { role: 'state', fixed: 12 * 32 }),
    }),
    compare: {
      keys: (got, want) => expectClose(got, want, { absolute: 1e-5, relative: 1e-5, label: 'keys' }),
      values: (got, want) => expectClose(got, want, { absolute: 1e-5, relative: 1e-5, label: 'values' }),
    },
    steps: [plainStep(5, 0), plainStep(7, 5)],
    contextTokens: 12,
  });

describeOp('rope-kv', {
  'no norm, halves': rope('none', 'half'),
  'head norm, pairs': rope('head', 'pair'),
  'vector norm, halves': rope('vector', 'half'),
});

const attention = (
  window: number,
  tokens: number,
  { sinks = false, biased = false, context = 48, chunk = 0 } = {},
) =>
  opCase({
    make: attentionNode,
    io: (builder) => ({
      heads: 4,
      kvHeads: 2,
      headDim: 20,
      q: builder.tensor('q', { role: 'input', perToken: 80 }),
      kCache: builder.tensor('keys', { role: 'state', fixed: context * 40 }),
      vCache: builder.tensor('values', { role: 'state', fixed: context * 40 }),
      o: builder.tensor('o', { role: 'output', perToken: 80 }),
      scale: 0.2,
      window,
      chunk,
      sinks: sinks ? builder.exact('sinks', 4, 1) : undefined,
      keyBias: biased
        ? builder.tensor('biases', { role: 'state', type: 'f32', fixed: context * 2 })
        : undefined,
    }),
    steps: [plainStep(tokens, 0), plainStep(tokens, context - tokens)],
    contextTokens: context,
  });

describeOp('attention', {
  'one token': attention(0, 1),
  'seven tokens': attention(0, 7),
  'tiles of tokens': attention(0, 33),
  'tiles of tokens through a window': attention(5, 33),
  'tiles of tokens in chunks': attention(0, 33, { chunk: 10 }),
  'one token and spans of keys in chunks': attention(0, 1, { chunk: 290, context: 300 }),
  'one token, with sinks': attention(0, 1, { sinks: true }),
  'one token and spans of keys, with sinks': attention(0, 1, { sinks: true, context: 300 }),
  'tiles of tokens, with sinks': attention(5, 33, { sinks: true }),
  'one token, with biases of keys': attention(0, 1, { biased: true }),
  'one token and spans of keys, with biases of keys': attention(0, 1, { biased: true, context: 300 }),
  'tiles of tokens, with biases of keys': attention(5, 33, { biased: true }),
});

describeOp('key-bias', {
  '3 heads': opCase({
    make: keyBiasNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 3),
      slope: builder.exact('slope', 3, 1),
      cache: builder.tensor('cache', { role: 'state', type: 'f32', fixed: 48 * 3 }),
      heads: 3,
    }),
    steps: STEPS,
    contextTokens: 48,
  }),
});

describeOp('add-weighed', {
  '260 columns': opCase({
    make: addWeighedNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 260),
      branch: f32(builder, 'branch', 'input', 260),
      weights: builder.exact('weights', 1, 260),
      scale: 0.5,
      sum: f32(builder, 'sum', 'output', 260),
    }),
    steps: STEPS,
  }),
});

const shortConv = (taps: number) =>
  opCase({
    make: shortConvNode,
    io: (builder) => ({
      gatesX: builder.tensor('gates and x', { role: 'input', perToken: 3 * 36 }),
      weight: builder.exact('weight', 36, taps),
      recent: builder.tensor('recent', {
        role: 'state',
        rewind: 'parity',
        type: 'f32',
        fixed: (taps - 1) * 36,
      }),
      y: builder.tensor('y', { role: 'output', perToken: 36 }),
      cols: 36,
      taps,
    }),
    steps: STEPS,
  });

describeOp('short-conv', { '3 taps': shortConv(3), '4 taps': shortConv(4) });

const kept = (builder: GraphBuilder, name: string, fixed: number) =>
  builder.tensor(name, { role: 'state', rewind: 'parity', type: 'f32', fixed });

const causalConv = (hasBias: boolean) =>
  opCase({
    make: causalConvNode,
    io: (builder) => ({
      x: { tensor: f32(builder, 'x', 'input', 50), first: 9 },
      weight: builder.exact('weight', 36, 4),
      bias: hasBias ? builder.exact('bias', 36, 1) : undefined,
      recent: kept(builder, 'recent', 3 * 36),
      y: f32(builder, 'y', 'output', 36),
    }),
    steps: STEPS,
  });

describeOp('causal-conv', { 'a bias': causalConv(true), 'no bias': causalConv(false) });

describeOp('state-scan', {
  '6 heads in 2 groups': opCase({
    make: stateScanNode,
    io: (builder) => ({
      dt: { tensor: f32(builder, 'dt', 'input', 10), first: 3 },
      mixed: f32(builder, 'mixed', 'input', 6 * 8 + 2 * 2 * 5),
      rates: builder.exact('rates', 3 * 6, 1),
      state: kept(builder, 'state', 5 * 6 * 8),
      y: f32(builder, 'y', 'output', 6 * 8),
      heads: 6,
      dims: 8,
      groups: 2,
      states: 5,
      bounds: [0.1, 2] as const,
    }),
    steps: STEPS,
  }),
});

describeOp('delta-scan', {
  '6 heads over 2 keys': opCase({
    make: deltaScanNode,
    io: (builder) => ({
      gates: { tensor: f32(builder, 'gates', 'input', 16), first: 3 },
      mixed: f32(builder, 'mixed', 'input', 2 * 2 * 5 + 6 * 8),
      rates: builder.exact('rates', 2 * 6, 1),
      state: kept(builder, 'state', 5 * 6 * 8),
      y: f32(builder, 'y', 'output', 6 * 8),
      keyHeads: 2,
      keyDim: 5,
      heads: 6,
      dims: 8,
      tiled: false,
    }),
    steps: STEPS,
  }),
});

describeOp('gate-sigmoid', {
  '36 columns': opCase({
    make: gateSigmoidNode,
    io: (builder) => ({
      x: builder.tensor('x', { role: 'input', perToken: 36 }),
      gate: builder.tensor('gate', { role: 'input', perToken: 36 }),
      y: builder.tensor('y', { role: 'output', perToken: 36 }),
    }),
    steps: STEPS,
  }),
});

const gatedNorm = (isGateFirst: boolean, gains: number) =>
  opCase({
    make: gatedNormNode,
    io: (builder) => ({
      x: f32(builder, 'x', 'input', 80),
      gate: { tensor: f32(builder, 'gate', 'input', 90), first: 4 },
      gain: builder.exact('gain', 1, gains),
      y: builder.tensor('y', { role: 'output', perToken: 80 }),
      groups: 2,
      isGateFirst,
      eps: 1e-6,
    }),
    steps: STEPS,
  });

describeOp('gated-norm', { 'the gate first': gatedNorm(true, 80), 'the norm first': gatedNorm(false, 40) });

const latents = { rank: 20, rotary: 8, style: 'pair' } as const;
const turns = (builder: GraphBuilder) =>
  builder.computed('angles', 9, 8, () => ropeAngles({ theta: 1e4, rotaryDim: 8, positions: 9 }));

describeOp('latent-query', {
  '3 heads': opCase({
    make: latentQueryNode,
    io: (builder) => ({
      ...latents,
      q: builder.tensor('q', { role: 'input', perToken: 3 * 20 }),
      weight: builder.exact('weight', 60, 12),
      angles: turns(builder),
      y: builder.tensor('y', { role: 'output', perToken: 3 * 28 }),
      heads: 3,
      nope: 12,
    }),
    steps: STEPS,
  }),
});

describeOp('latent-keys', {
  'behind a past': opCase({
    make: latentKeysNode,
    io: (builder) => ({
      ...latents,
      x: builder.tensor('x', { role: 'input', perToken: 28 }),
      gain: builder.exact('gain', 1, 20),
      angles: turns(builder),
      cache: builder.tensor('cache', { role: 'state', fixed: 9 * 28 }),
      eps: 1e-6,
    }),
    steps: STEPS,
  }),
});

describeOp('latent-values', {
  '3 heads': opCase({
    make: latentValuesNode,
    io: (builder) => ({
      ...latents,
      o: builder.tensor('o', { role: 'input', perToken: 3 * 28 }),
      weight: builder.exact('weight', 3 * 16, 20),
      y: builder.tensor('y', { role: 'output', perToken: 3 * 16 }),
      heads: 3,
      dims: 16,
    }),
    steps: STEPS,
  }),
});

const gateCase = (experts: number, groups: boolean, isFactored = false) =>
  opCase({
    make: gateNode,
    io: (builder) => ({
      logits: f32(builder, 'logits', 'input', experts),
      bias: builder.exact('bias', experts, 1),
      factors: isFactored ? builder.exact('factors', experts, 1) : undefined,
      ids: u32(builder, 'ids', 'output', 4),
      weights: f32(builder, 'weights', 'output', 4),
      experts,
      topK: 4,
      rule: {
        score: groups ? 'sigmoid' : 'softmax',
        renorm: groups ? 'sum' : 'none',
        eps: 1e-20,
        scale: 1.5,
        groups: groups ? ({ count: 8, keep: 4, score: 'two-best' } as const) : null,
      } as const,
    }),
    steps: STEPS,
  });

describeOp('gate', {
  '8 experts': gateCase(8, false),
  '8 experts with factors': gateCase(8, false, true),
  '160 experts in groups': gateCase(160, true),
});

describeOp('hook-logits', {
  '33 experts': opCase({
    make: hookLogitsNode,
    io: (builder) => ({
      logits: f32(builder, 'logits', 'input', 33),
      edits: builder.tensor('edits', { type: 'f32', role: 'input', fixed: editsSize(33) }),
      experts: 33,
    }),
    values: { edits: () => packEdits({ bias: [...randomNormal(33, 5)], mask: [4] }, 33) },
    steps: STEPS,
  }),
});

const hookedGateCase = (isFactored: boolean) => {
  const sizes = { experts: 8, topK: 4 };
  const rule = { score: 'softmax', renorm: 'sum', eps: 0, scale: 1.5, groups: null } as const;
  return opCase({
    make: hookedGateNode,
    io: (builder) => ({
      logits: f32(builder, 'logits', 'input', 8),
      bias: builder.exact('bias', 8, 1),
      factors: isFactored ? builder.exact('factors', 8, 1) : undefined,
      hooks: builder.tensor('hooks', { type: 'u32', role: 'input', ...hooksSize(sizes) }),
      ids: u32(builder, 'ids', 'output', 4),
      weights: f32(builder, 'weights', 'output', 4),
      ...sizes,
      rule,
    }),
    values: {
      hooks: (count) => {
        const words = new Uint32Array(count);
        words.set(packChoice({ ranks: [5, 0, 2], replays: false, replaysWeights: false }, sizes));
        return words;
      },
    },
    steps: STEPS,
  });
};

describeOp('hooked-gate', { plain: hookedGateCase(false), 'with factors': hookedGateCase(true) });

const productRoute = (hasStatistics: boolean, heads: number, split?: 'prompt') =>
  opCase({
    make: productRouteNode,
    io: (builder) => ({
      scores: f32(builder, 'scores', 'input', 2 * heads * 12),
      ids: u32(builder, 'ids', 'output', heads * 5),
      weights: f32(builder, 'weights', 'output', heads * 5),
      statistics: hasStatistics
        ? { eps: 1e-5, mean: builder.exact('mean', 24, 1), variance: builder.exact('variance', 24, 1) }
        : undefined,
      grid: 12,
      heads,
      topK: 5,
      renormalise: hasStatistics,
      split,
    }),
    values: { variance: (count) => randomNormal(count, 9).map((value) => value ** 2 + 0.1) },
    steps: STEPS,
  });

describeOp('product-route', {
  plain: productRoute(false, 2),
  'with statistics': productRoute(true, 1),
  'of a prompt in halves': productRoute(false, 1, 'prompt'),
});

describeOp('skip-light', {
  'top 4': opCase({
    make: skipLightNode,
    io: (builder) => ({
      ids: u32(builder, 'ids', 'input', 4),
      weights: f32(builder, 'weights', 'input', 4),
      topK: 4,
      bound: 0.5,
      dropIds: true,
    }),
    values: { ids: below(16) },
    steps: STEPS,
  }),
});

const penalised = (penalty: number): Step[] => STEPS.map((step) => ({ ...step, penalty }));

describeOp(
  'repetition-penalty',
  Object.fromEntries(
    [1.3, 1].map((penalty) => [
      `of ${penalty}`,
      opCase({
        make: penaltyNode,
        io: (builder) => ({
          ids: builder.ids,
          logits: builder.tensor('logits', { type: 'f32', role: 'input', fixed: 100 }),
          vocab: 100,
          seen: builder.tensor(SEEN, { type: 'u32', role: 'state', fixed: 4 }),
        }),
        values: { ids: below(100), [SEEN]: (count) => new Uint32Array(count).fill(5) },
        // Without a penalty, the op does not run and leaves both unchanged.
        steps: penalised(penalty),
      }),
    ]),
  ),
);

/** Compares ids and logits exactly, and the two sums between them with a tolerance. */
function expectRecord(got: HostArray, want: HostArray): void {
  const sums = (words: HostArray) => new Float32Array(Uint32Array.from(words).buffer).subarray(2, 4);
  const others = (words: HostArray) => [...words.slice(0, 2), ...words.slice(4)];
  expect(others(got)).toEqual(others(want));
  expectClose(sums(got), sums(want), { absolute: 0, relative: 1e-5, label: 'sums' });
}

describeOp('sample', {
  '1000 logits': opCase({
    make: sampleNode,
    io: (builder) => ({
      logits: builder.tensor('logits', { type: 'f32', role: 'input', fixed: 1000 }),
      vocab: 1000,
      record: builder.tensor('record', { type: 'u32', role: 'output', fixed: SAMPLE_RECORD_BYTES / 4 }),
    }),
    compare: { record: expectRecord },
    steps: [{ ...plainStep(1, 0), temperature: 0.8 }],
  }),
});

/** One layer of random records, on the GPU and on the CPU. */
async function openExperts(
  gpu: Gpu,
  units: number,
  formats: FormatName | Readonly<Record<string, FormatName>>,
  shapes: RecordShapes,
  bitsOf?: (unit: number) => number,
): Promise<{ gpu: ExpertStore; cpu: CpuExpertWeights }> {
  const layout = recordLayout(formats, shapes);
  const store = await ExpertStore.open(gpu, evenRecords(1, units, layout));
  const records = Array.from({ length: units }, (_, unit) => {
    const encoded = Object.entries(shapes).map(([name, [rows, cols]], part) => {
      const values = randomNormal(rows * cols, 10 * unit + part, 0.3);
      const { format } = layout.parts[name]!;
      return [name, encodeMatrix('F32', new Uint8Array(values.buffer), format, rows, cols)] as const;
    });
    const record = packRecord(layout, Object.fromEntries(encoded));
    if (bitsOf) leaveOut(layout, record, bitsOf(unit));
    return record;
  });
  for (const [unit, record] of records.entries()) store.put(0, unit, record);
  store.commit();
  return {
    gpu: store,
    cpu: {
      units: () => units,
      unit: (_layer, unit) => unpackRecord(layout, records[unit] ?? new Uint8Array()),
    },
  };
}

/** Makes a record of nested planes one of fewer bits, and what it has beyond these what no kernel may read. */
function leaveOut({ parts, levels }: RecordLayout, record: Uint8Array<ArrayBuffer>, bits: number): void {
  const level = bits - 2;
  record.fill(0xff, levels?.[level]);
  for (const { format, rows, cols, offsetBytes, planes = [] } of Object.values(parts)) {
    const offsets = planes.slice(0, level).map((at) => at - offsetBytes);
    weightFormat(format).link!(record.subarray(offsetBytes), rows, cols, offsets);
  }
}

/** The same format for all parts of some shapes. */
function inOne(format: FormatName, shapes: RecordShapes): Record<string, FormatName> {
  return Object.fromEntries(Object.keys(shapes).map((name) => [name, format]));
}

const EXPERT_TOLERANCE = { absolute: 1e-4, relative: 1e-4 };

describe.each([
  ['software', software],
  ['hardware', hardware],
])('experts as %s', (_as, gpu) => {
  test.each([
    ['f32', 7],
    ['f32', 33],
    ['q8_0', 7],
    ['q4_0', 33],
    ['nested2', 7],
    ['nested3', 33],
    ['nested4', 7],
    ['nested4', 33],
    ['nested4', 7, 'silu', (unit: number) => 2 + (unit % 3)],
    ['nested4', 33, 'silu', (unit: number) => 2 + (unit % 3)],
    [{ gate: 'q4_0', up: 'q4_0', down: 'q8_0' }, 7],
    [{ gate: 'q4_0', up: 'q4_0', down: 'f32' }, 33],
    [{ gate: 'bf16', up: 'bf16', down: 'q4_0' }, 33],
    ['f32', 33, 'clamped-swiglu'],
    ['q4_0', 7, 'clamped-swiglu'],
  ] as const)(
    '%o, %i tokens',
    async (formats, tokens, activation: GluActivation = 'silu', bitsOf?: (unit: number) => number) => {
      const isNested = typeof formats === 'string' && formats.startsWith('nested');
      const [experts, topK, hidden, width] = [9, 3, 64, isNested ? 64 : 32];
      const both = [width, hidden] as const;
      const biased = activation === 'clamped-swiglu';
      const matrices = { gate: both, up: both, down: [hidden, width] } as const;
      const biases = { gateBias: [1, width], upBias: [1, width], downBias: [1, hidden] } as const;
      const named = typeof formats === 'string' ? inOne(formats, matrices) : formats;
      const all = { ...named, ...inOne('f32', biases) };
      const shapes = biased ? { ...matrices, ...biases } : matrices;
      const open = await openExperts(gpu, experts, all, shapes, bitsOf);
      try {
        await expectOp(gpu, {
          make: expertsNode,
          io: (builder) => ({
            x: builder.tensor('x', { role: 'input', perToken: hidden }),
            ids: u32(builder, 'ids', 'input', topK),
            weights: f32(builder, 'weights', 'input', topK),
            y: f32(builder, 'y', 'output', hidden),
            bank: 0,
            experts,
            topK,
            hidden,
            width,
            activation,
            biased,
          }),
          values: { ids: chosen(experts, topK) },
          experts: open,
          steps: [plainStep(1, 0), plainStep(tokens, 1)],
          tolerance: EXPERT_TOLERANCE,
        });
      } finally {
        open.gpu.dispose();
      }
    },
  );

  test.each([
    ['f16', 1, undefined],
    ['f16', 20, undefined],
    ['q8_0', 20, 'experts'],
    [{ in: 'q8_0', out: 'f16' }, 20, undefined],
  ] as const)('atomic, %o, %i tokens, schedule %s', async (formats, tokens, schedule) => {
    const [pages, pageExperts, topK, hidden] = [4, 16, 6, 64];
    const vectors = [pageExperts, hidden] as const;
    const open = await openExperts(gpu, pages, formats, { in: vectors, out: vectors });
    try {
      await expectOp(gpu, {
        make: atomicExpertsNode,
        io: (builder) => ({
          x: builder.tensor('x', { role: 'input', perToken: hidden }),
          ids: u32(builder, 'ids', 'input', topK),
          weights: f32(builder, 'weights', 'input', topK),
          y: f32(builder, 'y', 'output', hidden),
          bank: 0,
          experts: pages * pageExperts,
          topK,
          hidden,
          activation: 'silu' as const,
          schedule,
        }),
        values: { ids: chosen(pages * pageExperts, topK) },
        experts: open,
        steps: [plainStep(1, 0), plainStep(tokens, 1)],
        tolerance: EXPERT_TOLERANCE,
      });
    } finally {
      open.gpu.dispose();
    }
  });
});

test('the harness fails if an op does not write what its reference writes', async () => {
  const silent: typeof gluActivationNode = (label, io) => ({
    ...gluActivationNode(label, io),
    lower: () => [],
  });
  const wrong: typeof gluActivationNode = (label, io) => {
    const node = gluActivationNode(label, io);
    return { ...node, run: (context) => (runReference(node, context), context.floats(io.y).fill(0)) };
  };
  for (const make of [silent, wrong]) {
    const one = glu('silu') as unknown as OpCase<Parameters<typeof gluActivationNode>[1]>;
    await expect(expectOp(software, { ...one, make })).rejects.toThrow();
  }
});
