import { invariant } from '../../errors.ts';
import type { AtomicExpertsIo } from '../../graph/ops/atomic-experts.ts';
import { chooseSchedule } from '../../kernels/atomic/atomic-schedule.ts';
import { activationCode } from '../../kernels/core/activation.ts';
import { SCRATCH_BYTES } from '../kernels.ts';
import { formatKernel, SCRATCH, work, type SimdRun } from '../run.ts';
import { partOf } from './experts.ts';

/** Outputs are cut at blocks of weights. */
const BLOCK = 32;

/** Pairs are scored this many at a time at least. */
const PAIRS_TOGETHER = 16;

/** y[t] = sum over ranks of weight * act(in . x[t]) * out, in rank order. */
export function atomicExperts(run: SimdRun, io: AtomicExpertsIo): void | Promise<void> {
  const { x, ids, weights, y, bank, topK, hidden } = io;
  const { main, step } = run;
  const { tokens } = step;
  const store = run.experts;
  invariant(store, () => 'the graph has experts, the engine holds none');
  const memory = store.memory(bank);
  const places = {
    x: run.scratch(memory, 4 * tokens * hidden),
    y: run.scratch(memory, 4 * tokens * hidden),
    ids: run.scratch(memory, 4 * tokens * topK),
    weights: run.scratch(memory, 4 * tokens * topK),
    scores: run.scratch(memory, 4 * tokens * topK),
  };
  const compute = kernelsOf(run, io, places);
  if (!compute) return run.byReference();
  memory.floats(places.x, tokens * hidden).set(run.floats(x));
  memory.words(places.ids, tokens * topK).set(run.words(ids));
  memory.floats(places.weights, tokens * topK).set(run.floats(weights));
  const finish = () => {
    main.floats(run.at(y), tokens * hidden).set(memory.floats(places.y, tokens * hidden));
  };
  const used = store.use(bank, run.words(ids), tokens, compute, run.signal);
  return used ? used.then(finish) : finish();
}

interface Places {
  readonly x: number;
  readonly y: number;
  readonly ids: number;
  readonly weights: number;
  readonly scores: number;
}

/** Scores of all pairs, then each token's sum; undefined where a format has no kernel. */
function kernelsOf(
  run: SimdRun,
  io: AtomicExpertsIo,
  { x, y, ids, weights, scores }: Places,
): (() => void | Promise<void>) | undefined {
  const { bank, topK, hidden, experts, activation } = io;
  const { tokens } = run.step;
  const store = run.experts;
  invariant(store, () => 'no experts');
  const memory = store.memory(bank);
  const layout = store.layout(bank);
  const [input, output] = [partOf(layout, 'in'), partOf(layout, 'out')];
  const { kernels } = memory;
  const byToken = formatKernel(memory, 'atomic_scores', input.format);
  const byExpert = formatKernel(memory, 'atomic_scores_sorted', input.format);
  const combine = formatKernel(memory, 'atomic_combine', output.format);
  if (!byToken || !byExpert || !combine) return undefined;
  const pageExperts = experts / store.units(bank);
  const table = store.table(bank);
  const pairs = tokens * topK;
  const act = activationCode(activation);
  const schedule = io.schedule ?? chooseSchedule({ tokens, topK, experts });
  const isSorted = schedule === 'experts';
  const sorted = isSorted ? run.scratch(memory, 8 * pairs) : 0;
  const score = () => {
    if (isSorted) {
      const scratch = run.scratch(memory, SCRATCH_BYTES + 16 * pairs);
      kernels.sort_pairs(ids, sorted, scratch, pairs, experts);
    }
    const shape = { count: pairs, unit: PAIRS_TOGETHER, multiplyAdds: hidden, scratchBytes: SCRATCH_BYTES };
    const kernel = isSorted ? byExpert : byToken;
    const list = [x, isSorted ? sorted : ids, table, scores, hidden, topK, act, pageExperts] as const;
    return run.split(work(kernel, shape, kernel.format, ...list, input.at, input.scales, SCRATCH));
  };
  const add = () => {
    const shape = { count: hidden, unit: BLOCK, multiplyAdds: pairs, scratchBytes: SCRATCH_BYTES };
    const list = [scores, ids, weights, table, y, tokens, hidden, topK, pageExperts] as const;
    return run.split(work(combine, shape, combine.format, ...list, output.at, output.scales, SCRATCH));
  };
  return () => {
    const scoring = score();
    return scoring ? scoring.then(add) : add();
  };
}
