/** (d) How the router's time grows with the number of experts: with its square root, if all is well. */
import { Gpu } from '../../src/gpu/device.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { linearNode } from '../../src/graph/ops/linear.ts';
import { productRouteNode } from '../../src/graph/ops/product-route.ts';
import { digits, say, table, withNoise, type PartResult } from '../report.ts';
import { Rig } from '../rig.ts';
import { logLogSlope, type Measured } from '../stats.ts';
import { timeInTurns } from '../timing.ts';

const TOKENS = 64;
const TOP_K = 32;
const HIDDEN = 1024;
const GRIDS = [32, 64, 128, 256, 512, 1024]; // N = grid squared: 1 Ki to 1 Mi
const FROM_EXPERTS = 64 * 1024; // the slope is taken from here on
const MOST_SLOPE = 0.55;
/** The floor: the same number of dispatches over next to no work. */
const FLOOR = { hidden: 32, grid: 2, topK: 1 };

function routerNodes(builder: GraphBuilder, { hidden, grid, topK }: typeof FLOOR): void {
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  const scores = builder.tensor('scores', { type: 'f32', perToken: 2 * grid });
  builder.add(linearNode('router', { x, y: scores, weight: builder.exact('w', 2 * grid, hidden, 'w') }));
  const ids = builder.tensor('expert ids', { type: 'u32', role: 'output', perToken: topK });
  const weights = builder.tensor('expert weights', { type: 'f32', role: 'output', perToken: topK });
  const statistics = {
    eps: 1e-5,
    mean: builder.computed('mean', 2 * grid, 1, () => new Float32Array(2 * grid)),
    variance: builder.computed('variance', 2 * grid, 1, () => new Float32Array(2 * grid).fill(1)),
  };
  const io = { scores, ids, weights, statistics, grid, topK, renormalise: false };
  builder.add(productRouteNode('route', io));
}

interface Point {
  readonly experts: number;
  readonly time: Measured; // ms, floor subtracted
}

export async function routerPart(): Promise<PartResult> {
  const gpu = await Gpu.open({ features: ['subgroups', 'shader-f16'], limits: 'adapter' });
  const rigs: Rig[] = [];
  try {
    rigs.push(await Rig.open(gpu, (builder) => routerNodes(builder, FLOOR), { tokens: 1 }));
    for (const grid of GRIDS) {
      say(`router of ${grid * grid} experts`);
      const shape = { hidden: HIDDEN, grid, topK: TOP_K };
      rigs.push(await Rig.open(gpu, (builder) => routerNodes(builder, shape), { tokens: TOKENS }));
    }
    const lists = rigs.map((rig) => rig.commands());
    const [floor, ...times] = await timeInTurns(gpu, lists, { rounds: 9 });
    if (!floor) throw new Error('nothing was timed');
    const points = GRIDS.map((grid, i): Point => {
      const time = times[i] ?? floor;
      const median = time.median - floor.median;
      return { experts: grid * grid, time: { ...time, median, noise: (time.noise * time.median) / median } };
    });
    return report(
      floor,
      points,
      lists.map((commands) => commands.map(Rig.kernelOf)),
    );
  } finally {
    for (const rig of rigs) rig.dispose();
    gpu.dispose();
  }
}

function report(
  floor: Measured,
  points: readonly Point[],
  kernels: readonly (readonly string[])[],
): PartResult {
  const large = points.filter(({ experts }) => experts >= FROM_EXPERTS);
  const slope = logLogSlope(large.map(({ experts, time }) => ({ x: experts, y: time.median })));
  const markdown = [
    `T = ${TOKENS} tokens, K = ${TOP_K}, d = ${HIDDEN}, f32 router with batch-norm statistics: projection, both halves, ` +
      `choice. Dispatch floor of ${digits(floor.median)} ms subtracted.`,
    '',
    table(
      ['experts N', 'ms'],
      points.map(({ experts, time }) => [experts.toLocaleString('en'), withNoise(time)]),
    ),
    '',
    `Slope of log time over log N from ${FROM_EXPERTS.toLocaleString('en')} experts on: **${digits(slope)}** (aim: at most ${MOST_SLOPE}).`,
  ].join('\n');
  return { markdown, results: { floor, points, slope, kernels } };
}
