/** (c) An OmniMoE layer, sorted by expert where that pays, against a PEER layer that gathers token by token. */
import type { ExpertStore } from '../../src/experts/store.ts';
import { Gpu } from '../../src/gpu/device.ts';
import { submit, type Command } from '../../src/gpu/recorder.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { atomicExpertsNode } from '../../src/graph/ops/atomic-experts.ts';
import { addSharedNode, gluActivationNode } from '../../src/graph/ops/basic.ts';
import { linearNode } from '../../src/graph/ops/linear.ts';
import { productRouteNode } from '../../src/graph/ops/product-route.ts';
import { activeExperts, type AtomicSchedule } from '../../src/kernels/atomic/atomic-schedule.ts';
import { atomicNodes, randomIds } from '../atomic.ts';
import { boundMs, measureLimits, type MachineLimits, type Work } from '../limits.ts';
import { digits, percent, say, table, type PartResult } from '../report.ts';
import { openExperts, Rig } from '../rig.ts';
import { measured, median, type Measured } from '../stats.ts';
import { idleMs } from '../timing.ts';

const HIDDEN = 1024;
const GRID = 320;
const EXPERTS = GRID * GRID; // 102,400
const OMNI_K = 512;
const PEER_K = 1250;
const SHARED = 1024;
const TOKENS = [4096, 256, 16, 1];
/** A long step is cut into runs of this many tokens where nothing is shared between tokens. */
const MOST_TOKENS_AT_ONCE = 256;
const ROUND_MS = 50;

const HALF_BYTES = 2;

/** One thing to time: ids into place, then commands in submissions of their own. */
interface Candidate {
  readonly name: string;
  readonly prepare: (run: number) => void;
  readonly runs: number; // parts of the whole, each after its own `prepare`
  readonly commands: readonly Command[];
}

async function timeOnce(gpu: Gpu, { prepare, runs, commands }: Candidate, repeats: number): Promise<number> {
  const startedMs = performance.now();
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (let run = 0; run < runs; run += 1) {
      if (runs > 1) prepare(run);
      // Long dispatches go alone, so that no submission lasts longer than it must.
      if (runs > 1 || commands.length > 4) for (const command of commands) submit(gpu, [command]);
      else submit(gpu, commands);
      if (runs > 1) await gpu.idle();
    }
  }
  await gpu.idle();
  return (performance.now() - startedMs) / repeats;
}

/** All candidates in turns. @returns times in ms, one list for each candidate */
async function timeRounds(gpu: Gpu, candidates: readonly Candidate[], rounds: number): Promise<number[][]> {
  const overheadMs = await idleMs(gpu);
  const repeats: number[] = [];
  for (const candidate of candidates) {
    candidate.prepare(0);
    const onceMs = await timeOnce(gpu, candidate, 1); // compiles, too
    const warmMs = onceMs > 2000 ? onceMs : await timeOnce(gpu, candidate, 1);
    repeats.push(Math.max(1, Math.min(64, Math.ceil(ROUND_MS / warmMs))));
  }
  const times = candidates.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      const ms = await timeOnce(gpu, candidate, repeats[index] ?? 1);
      times[index]?.push(ms - overheadMs / (repeats[index] ?? 1));
      say(`  ${candidate.name}: ${digits(ms)} ms`);
    }
  }
  return times;
}

/** x -> router -> experts, plus the shared expert. */
function omniLayer(builder: GraphBuilder): void {
  const x = builder.tensor('x', { role: 'input', perToken: HIDDEN });
  const scores = builder.tensor('scores', { type: 'f32', perToken: 2 * GRID });
  builder.add(
    linearNode('router', { x, y: scores, weight: builder.exact('router', 2 * GRID, HIDDEN, 'router') }),
  );
  const ids = builder.tensor('expert ids', { type: 'u32', perToken: OMNI_K });
  const weights = builder.tensor('expert weights', { type: 'f32', perToken: OMNI_K });
  const route = { scores, ids, weights, statistics: undefined, grid: GRID, topK: OMNI_K, renormalise: false };
  builder.add(productRouteNode('route', route));
  const routed = builder.tensor('routed', { perToken: HIDDEN });
  const shape = { bank: 0, experts: EXPERTS, topK: OMNI_K, hidden: HIDDEN, activation: 'silu' } as const;
  builder.add(atomicExpertsNode('atomic', { x, ids, weights, y: routed, ...shape }));
  const gateUp = builder.tensor('gate up', { perToken: 2 * SHARED });
  builder.add(
    linearNode('gate up', { x, y: gateUp, weight: builder.matrix('gate up', 2 * SHARED, HIDDEN, 'w') }),
  );
  const h = builder.tensor('h', { perToken: SHARED });
  builder.add(gluActivationNode('shared', { gateUp, y: h, width: SHARED, activation: 'silu' }));
  const down = builder.tensor('down', { perToken: HIDDEN });
  builder.add(linearNode('down', { x: h, y: down, weight: builder.matrix('down', HIDDEN, SHARED, 'w') }));
  const y = builder.tensor('y', { role: 'output', perToken: HIDDEN });
  builder.add(addSharedNode('sum', { a: routed, b: down, gate: undefined, y, cols: HIDDEN }));
}

/** The least that the layers have to do. */
function works(tokens: number) {
  const vector = HIDDEN * HALF_BYTES;
  const streams = 2 * tokens * HIDDEN * 4; // x in, y out
  const omniPairs = tokens * OMNI_K;
  const active = activeExperts({ tokens, topK: OMNI_K, experts: EXPERTS });
  const routed: Work = {
    bytes: 2 * active * vector + streams + 8 * omniPairs,
    ops: 4 * HIDDEN * omniPairs,
  };
  const sharedWeights = 3 * SHARED * HIDDEN;
  const whole: Work = {
    bytes: routed.bytes + sharedWeights * HALF_BYTES + 2 * GRID * HIDDEN * 4,
    ops: routed.ops + 2 * tokens * (sharedWeights + 2 * GRID * HIDDEN),
  };
  const peerPairs = tokens * PEER_K;
  // Token by token, every pair reads its two vectors.
  const peer: Work = { bytes: 2 * peerPairs * vector + streams + 8 * peerPairs, ops: 4 * HIDDEN * peerPairs };
  return { routed, whole, peer };
}

async function routedCandidate(
  gpu: Gpu,
  store: ExpertStore,
  tokens: number,
  topK: number,
  schedule: AtomicSchedule,
  name: string,
  held: Rig[],
): Promise<Candidate> {
  const atOnce = schedule === 'tokens' ? Math.min(tokens, MOST_TOKENS_AT_ONCE) : tokens;
  const shape = { experts: EXPERTS, topK, hidden: HIDDEN, activation: 'silu', schedule } as const;
  const rig = await Rig.open(gpu, (builder) => atomicNodes(builder, shape), {
    tokens: atOnce,
    format: 'f16',
    experts: store,
    inputs: { 'expert ids': randomIds(atOnce * topK, EXPERTS) },
  });
  held.push(rig);
  const ids = Array.from({ length: tokens / atOnce }, (_, run) => randomIds(atOnce * topK, EXPERTS, run + 1));
  return {
    name,
    runs: ids.length,
    prepare: (run) => ids[run] && rig.write('expert ids', ids[run]),
    commands: rig.commands(),
  };
}

interface SizeResult {
  readonly tokens: number;
  readonly chosen: AtomicSchedule;
  readonly ms: Readonly<Record<'byToken' | 'byExpert' | 'chosen' | 'whole' | 'peer', Measured>>;
  readonly boundsMs: Readonly<Record<'routed' | 'whole' | 'peer', number>>;
  readonly routedRatio: number; // medians of pairs
  readonly wholeRatio: number;
  readonly choiceCost: number; // by which the other schedule would have been faster, medians of pairs
  readonly kernels: Readonly<Record<string, readonly string[]>>;
}

async function runSize(
  gpu: Gpu,
  store: ExpertStore,
  limits: MachineLimits,
  tokens: number,
): Promise<SizeResult> {
  say(`${tokens} tokens`);
  const held: Rig[] = [];
  try {
    const open = (topK: number, schedule: AtomicSchedule, name: string) =>
      routedCandidate(gpu, store, tokens, topK, schedule, name, held);
    const byToken = await open(OMNI_K, 'tokens', 'OmniMoE by token');
    const byExpert = await open(OMNI_K, 'experts', 'OmniMoE by expert');
    const peer = await open(PEER_K, 'tokens', 'PEER');
    const layer = await Rig.open(gpu, omniLayer, { tokens, format: 'f16', experts: store });
    held.push(layer);
    const whole = { name: 'OmniMoE whole', runs: 1, prepare: () => {}, commands: layer.commands() };
    const candidates = [byToken, byExpert, whole, peer];
    const times = await timeRounds(gpu, candidates, tokens > 1024 ? 3 : 7);
    const [tokenMs = [], expertMs = [], wholeMs = [], peerMs = []] = times;
    const chosen = scheduleOf(layer);
    const [chosenMs, otherMs] = chosen === 'tokens' ? [tokenMs, expertMs] : [expertMs, tokenMs];
    const pairs = (over: readonly number[], under: readonly number[]) =>
      median(over.map((ms, round) => ms / (under[round] ?? NaN)));
    const { routed, whole: wholeWork, peer: peerWork } = works(tokens);
    return {
      tokens,
      chosen,
      ms: {
        byToken: measured(tokenMs),
        byExpert: measured(expertMs),
        chosen: measured(chosenMs),
        whole: measured(wholeMs),
        peer: measured(peerMs),
      },
      boundsMs: {
        routed: boundMs(limits, routed),
        whole: boundMs(limits, wholeWork),
        peer: boundMs(limits, peerWork),
      },
      routedRatio: pairs(peerMs, chosenMs),
      wholeRatio: pairs(peerMs, wholeMs),
      choiceCost: Math.max(0, pairs(chosenMs, otherMs) - 1),
      kernels: Object.fromEntries(candidates.map(({ name, commands }) => [name, commands.map(Rig.kernelOf)])),
    };
  } finally {
    for (const rig of held) rig.dispose();
  }
}

/** What the engine chose by itself for a layer. */
function scheduleOf(layer: Rig): AtomicSchedule {
  const isSorted = layer
    .commands()
    .some((command) => Rig.kernelOf(command).startsWith('atomic-scores-grouped'));
  return isSorted ? 'experts' : 'tokens';
}

export async function atomicPart(): Promise<PartResult> {
  const gpu = await Gpu.open({ features: ['subgroups', 'shader-f16'], limits: 'adapter' });
  const limits = await measureLimits(gpu);
  say(`filling two tables of ${EXPERTS} vectors`);
  const vectors = [GRID, HIDDEN] as const;
  const store = await openExperts(gpu, { units: GRID, shapes: { in: vectors, out: vectors } }, 'f16');
  try {
    const results: SizeResult[] = [];
    for (const tokens of TOKENS) results.push(await runSize(gpu, store, limits, tokens));
    return report(limits, results);
  } finally {
    store.dispose();
    gpu.dispose();
  }
}

function report(limits: MachineLimits, results: readonly SizeResult[]): PartResult {
  const cell = ({ median: ms, noise }: Measured) => `${digits(ms)} ± ${(100 * noise).toFixed(0)} %`;
  const times = table(
    ['T', 'by token', 'by expert', 'whole layer', 'PEER', 'choice', 'cost of the choice'],
    results.map(({ tokens, ms, chosen, choiceCost }) => [
      tokens,
      ...[ms.byToken, ms.byExpert, ms.whole, ms.peer].map(cell),
      chosen,
      `${(100 * choiceCost).toFixed(1)} %`,
    ]),
  );
  const ratios = table(
    [
      'T',
      'routed: PEER / OmniMoE',
      'bounds allow',
      'whole: PEER / OmniMoE',
      'bounds allow',
      'of bound: routed',
      'whole',
      'PEER',
    ],
    results.map(({ tokens, ms, boundsMs, routedRatio, wholeRatio }) => [
      tokens,
      digits(routedRatio),
      digits(boundsMs.peer / boundsMs.routed),
      digits(wholeRatio),
      digits(boundsMs.peer / boundsMs.whole),
      percent(boundsMs.routed / ms.chosen.median),
      percent(boundsMs.whole / ms.whole.median),
      percent(boundsMs.peer / ms.peer.median),
    ]),
  );
  const markdown = [
    `d = ${HIDDEN}, N = ${EXPERTS.toLocaleString('en')}, f16 tables, f32 activations; OmniMoE K = ${OMNI_K} with a shared expert of ` +
      `${SHARED}, PEER K = ${PEER_K}. Copy ${digits(limits.bytesPerSecond / 1e9)} GB/s, multiply-add ` +
      `${digits(limits.opsPerSecond / 1e9)} Gop/s in this run. Milliseconds, medians; ratios are medians over pairs.`,
    '',
    times,
    '',
    'The bound of a layer is max(bytes / copy rate, operations / multiply-add rate): each active vector once for OmniMoE, two ' +
      'vectors for each pair for PEER, which goes token by token. Aim: a ratio of 10.9 where the bounds allow it, else 60 % of ' +
      'what they allow; PEER itself at 60 % of its bound; the choice at most 5 % dearer than the better schedule.',
    '',
    ratios,
  ].join('\n');
  return { markdown, results: { limits, sizes: results } };
}
