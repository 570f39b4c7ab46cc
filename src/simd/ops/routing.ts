import type { GateIo } from '../../graph/ops/gate.ts';
import type { ProductRouteIo } from '../../graph/ops/product-route.ts';
import { gateStages, stageParams } from '../../kernels/routing/rule.ts';
import { SCRATCH_BYTES } from '../kernels.ts';
import type { SimdRun } from '../run.ts';

/** The stages that the kernel knows, by the codes it knows them by. */
const SCORES = ['softmax', 'sigmoid', 'identity'];
const SELECTIONS = ['all', 'max', 'two-best'];
const WEIGHTINGS = ['none', 'sum', 'softmax', 'clamped-sum', 'exp', 'sparsemixer', 'sigmoid'];

/** Rules of other stages, those from outside the package among them, run by their references. */
export function gate(run: SimdRun, io: GateIo): void {
  const { logits, bias, ids, weights, experts, topK, rule, factors } = io;
  const stages = gateStages(rule);
  const score = SCORES.indexOf(stages.score);
  const select = SELECTIONS.indexOf(stages.select);
  const weigh = WEIGHTINGS.indexOf(stages.weigh);
  if (score < 0 || select < 0 || weigh < 0) return run.byReference();
  const { groups, keep, eps, scale } = stageParams(rule);
  const { main, step } = run;
  const scratch = run.scratch(main, SCRATCH_BYTES);
  main.kernels.gate_top_k(
    ...([run.at(logits), run.exactAt(bias), run.at(ids), run.at(weights)] as const),
    ...([step.tokens, experts, topK, score, select, weigh, groups, keep, eps, scale] as const),
    factors ? run.exactAt(factors) : 0,
    scratch,
  );
}

/** The best sums of a row score and a column score. */
export function productRoute(run: SimdRun, io: ProductRouteIo): void {
  if (io.split === 'prompt') return run.byReference();
  const { scores, ids, weights, sums, statistics, grid, heads = 1, topK } = io;
  const { renormalise, logSoftmax = true } = io;
  const { main, step } = run;
  const scratch = run.scratch(main, SCRATCH_BYTES + 64 * grid);
  main.kernels.product_route(
    run.at(scores),
    statistics ? run.exactAt(statistics.mean) : 0,
    statistics ? run.exactAt(statistics.variance) : 0,
    run.at(ids),
    run.at(weights),
    sums ? run.at(sums) : 0,
    ...([step.tokens, heads, grid, topK, statistics?.eps ?? 0] as const),
    Number(logSoftmax),
    Number(renormalise),
    scratch,
  );
}
