import type { GateIo } from '../../graph/ops/gate.ts';
import type { ProductRouteIo } from '../../graph/ops/product-route.ts';
import { gateStages, stageParams } from '../../kernels/routing/rule.ts';
import { SCRATCH_BYTES, type Address } from '../kernels.ts';
import type { SimdRun } from '../run.ts';

/** The stages that the kernel knows, by the codes it knows them by. */
const SCORES = ['softmax', 'sigmoid', 'identity'];
const SELECTIONS = ['all', 'max', 'two-best'];
const WEIGHTINGS = ['none', 'sum', 'softmax', 'clamped-sum', 'exp', 'sparsemixer', 'sigmoid'];

/** Where a call of the gate kernel reads and writes. */
export interface GateCall {
  readonly logits: Address;
  readonly bias: Address;
  readonly ids: Address;
  readonly weights: Address;
  readonly tokens: number;
  readonly topK: number;
  readonly isFree?: boolean; // by the selection values alone, without groups
}

/** Rules of other stages, those from outside the package among them, run by their references. */
export function gate(run: SimdRun, io: GateIo): void {
  const call = gateKernel(run, io);
  if (!call) return run.byReference();
  const { logits, bias, ids, weights, topK } = io;
  const places = {
    logits: run.at(logits),
    bias: run.exactAt(bias),
    ids: run.at(ids),
    weights: run.at(weights),
  };
  call({ ...places, tokens: run.step.tokens, topK });
}

/** The kernel with the rule of a gate; undefined if it does not know a stage. */
export function gateKernel(
  run: SimdRun,
  { experts, rule, factors }: Pick<GateIo, 'experts' | 'rule' | 'factors'>,
): ((call: GateCall) => void) | undefined {
  const stages = gateStages(rule);
  const score = SCORES.indexOf(stages.score);
  const select = SELECTIONS.indexOf(stages.select);
  const weigh = WEIGHTINGS.indexOf(stages.weigh);
  if (score < 0 || select < 0 || weigh < 0) return undefined;
  const { groups, keep, eps, scale } = stageParams(rule);
  const { main } = run;
  const scratch = run.scratch(main, SCRATCH_BYTES);
  return ({ logits, bias, ids, weights, tokens, topK, isFree = false }) =>
    main.kernels.gate_top_k(
      ...([logits, bias, ids, weights, tokens, experts, topK, score, isFree ? 0 : select] as const),
      ...([weigh, groups, keep, eps, scale, factors ? run.exactAt(factors) : 0, scratch] as const),
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
