import { AtomoeError } from '../../errors.ts';
import type { RouterSpec, WeighSpec } from '../../models/spec.ts';

/**
 * Checks the stages that kernels of product routers support: no transform, the k best sums, and the given weightings.
 *
 * @param weighs - supported weightings; scale is 1 and epsilon 0 for all
 * @throws {AtomoeError} unsupported-model - other stages, or a number of experts that is not a square; `label` names the model
 */
export function checkProduct(
  { score, transform = [], select, weigh = {} }: RouterSpec,
  label: string,
  experts: number,
  weighs: readonly Required<Pick<WeighSpec, 'from' | 'normalise'>>[],
): void {
  if (!Number.isInteger(Math.sqrt(experts))) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: ${experts} experts with a ${score.kind} router; wanted a square number; choose another model`,
    );
  }
  const { from = 'affinity', normalise = 'none', epsilon = 0, scale = 1 } = weigh;
  const isWeighed = weighs.some((way) => way.from === from && way.normalise === normalise);
  const isPlain = transform.length === 0 && !select.bias && !select.groups && epsilon === 0 && scale === 1;
  if (isWeighed && isPlain) return;
  const ways = weighs.map((way) => `from ${way.from}, normalised by ${way.normalise}`).join(', or ');
  throw new AtomoeError(
    'unsupported-model',
    `${label}: the ${score.kind} router takes no transform, bias, groups, epsilon or scale, and weights ${ways}; these are ` +
      `from ${from}, normalised by ${normalise}; write a router for it`,
  );
}
